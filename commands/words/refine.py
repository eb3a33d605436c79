"""Changes a prompt by words: colour, size, position, background, adding and leaving out.

The rules work on word classes, not on meaning. Each changes as little of the prompt as it can, and applying one twice
is the same as applying it once. What no rule knows is appended, where the words clearly speak of a change; other words
are a new prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from commands.words.vocabulary import ARTICLES, COLOURS, CONNECTIVES, POSITIONS, SIZES, article_for

COLOUR = "|".join(sorted(COLOURS, key=len, reverse=True))
SIZE = "|".join(sorted(SIZES, key=len, reverse=True))
SIDE = "|".join(sorted(POSITIONS, key=len, reverse=True))

POSITION_IN_PROMPT = re.compile(rf"\b(?:on|at|in|to) the (?:{SIDE})\b(?: side| edge)?(?! of\b)", re.IGNORECASE)
BACKGROUND_IN_PROMPT = re.compile(rf"\b({COLOUR})(\s+background)\b", re.IGNORECASE)
BACKGROUND_TAIL = re.compile(
    r"\s*(?:,\s*|\s)(?:on|against|in front of|with)?\s*(?:an?|the)?\s*(?:[\w-]+\s+){0,2}background\b.*$", re.IGNORECASE
)

PLEASE = r"(?:please )?"
SOMETHING = r"(?:it|them|this|that|the [\w' -]+?)"
MAKE = re.compile(
    PLEASE + r"(?:make|paint|colou?r|turn) (it|them|this|that|(?:the|my|all) [\w' -]+?) (?:to )?(?:be )?(.+)",
    re.IGNORECASE,
)
MOVE = re.compile(
    rf"(?:{PLEASE}(?:move|put|place|shift) {SOMETHING} )?(?:(?:more )?(?:on|at|in|to|into|towards?) )?"
    rf"the ({SIDE})(?: side| edge)?",
    re.IGNORECASE,
)
WITHOUT = re.compile(
    PLEASE + r"(?:without|remove|no|leave out|drop|delete|lose|get rid of) (?:(?:an?|the|any|that|all|its) )?(.+)",
    re.IGNORECASE,
)
ADD = re.compile(
    PLEASE + r"(?:(?:and |now )?also(?: add)?|add|and(?: add)?|plus|with|include) (.+)",
    re.IGNORECASE,
)
MORE_LESS = re.compile(r"(?:a (?:bit|little) )?(?:more|less|fewer) .+", re.IGNORECASE)
CHANGE = re.compile(
    PLEASE + r"(?:change|replace|turn|swap) (?:the |its )?(.+?) (?:to|with|into|for|by) (.+)", re.IGNORECASE
)
INSTEAD = re.compile(r"(?:an? )?(.+?) instead of (?:(?:an?|the) )?(.+)", re.IGNORECASE)
IN_COLOUR = re.compile(rf"(?:in |but (?:in )?)?(?:bright |dark |light )?({COLOUR})", re.IGNORECASE)
SIZE_ALONE = re.compile(rf"(?:a (?:bit|little) |much |but )?({SIZE})", re.IGNORECASE)
BACKGROUND = re.compile(r"(?:(?:on|with|against) )?(?:(?:an?|the) )?((?:[\w-]+ ){1,3})background", re.IGNORECASE)
SPEAKS_OF_CHANGE = re.compile(
    PLEASE + r"(?:make|paint|colou?r|turn|change|move|put|try|but|keep|let|give|remove)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Wording:
    """What is to be painted and what is not."""

    prompt: str
    negative_prompt: str = ""


def refine(wording: Wording, words: str) -> Wording | None:
    """The wording changed as `words` say, or None where they are no change but a prompt of their own."""
    words = words.strip().rstrip(".!").strip()
    if not words:
        return wording
    for rule in RULES:
        changed = rule(wording, words)
        if changed is not None:
            return changed
    if SPEAKS_OF_CHANGE.match(words):
        return _append(wording, words)
    return None


def _make(wording: Wording, words: str) -> Wording | None:
    match = MAKE.fullmatch(words)
    if match is None:
        return None
    thing, how = match[1].lower(), match[2].strip()
    noun = None if " " not in thing else thing.split(" ", 1)[1]
    pieces = [piece.strip() for piece in re.split(r"\s*,\s*|\s+and\s+", how) if piece.strip()]
    changes = [_quality(piece, noun) for piece in pieces]
    if changes and all(change is not None for change in changes):
        for change in changes:
            wording = change(wording) if change is not None else wording
        return wording
    if CHANGE.fullmatch(words) and re.match(r"(?:please )?turn\b", words, re.I):
        return None
    return _append(wording, how if noun is None else f"{noun} {how}")


def _quality(piece: str, noun: str | None) -> Callable[[Wording], Wording] | None:
    """What "green", "a bit bigger" or "at the top" does to a thing of the prompt (its first where noun is None)."""
    colour = IN_COLOUR.fullmatch(piece)
    if colour is not None:
        if noun == "background":
            return lambda wording: _with_background(wording, piece)
        word = colour[1].lower()
        return lambda wording: replace(wording, prompt=_with_adjective(wording.prompt, word, noun, COLOURS))
    size = SIZE_ALONE.fullmatch(piece)
    if size is not None:
        word = SIZES[size[1].lower()]
        return lambda wording: replace(wording, prompt=_with_adjective(wording.prompt, word, noun, frozenset(SIZES)))
    side = MOVE.fullmatch(piece)
    if side is not None:
        return lambda wording: _moved(wording, side[1])
    return None


def _bare_quality(wording: Wording, words: str) -> Wording | None:
    """ "green", "in blue", "smaller": a quality alone speaks of the first thing."""
    change = _quality(words, None)
    return change(wording) if change is not None else None


def _background(wording: Wording, words: str) -> Wording | None:
    match = BACKGROUND.fullmatch(words)
    return _with_background(wording, match[1].strip()) if match is not None else None


def _without(wording: Wording, words: str) -> Wording | None:
    match = WITHOUT.fullmatch(words)
    if match is None:
        return None
    thing = match[1].strip()
    unwanted = [part.strip() for part in wording.negative_prompt.split(",") if part.strip()]
    if thing.lower() not in (part.lower() for part in unwanted):
        unwanted.append(thing)
    return Wording(_leave_out(wording.prompt, thing), ", ".join(unwanted))


def _add(wording: Wording, words: str) -> Wording | None:
    match = ADD.fullmatch(words)
    if match is None:
        return None
    thing = match[1].strip()
    if _contains(wording.prompt, thing):
        return wording
    unwanted = [part for part in re.split(r"\s*,\s*", wording.negative_prompt) if part and not _contains(thing, part)]
    tail = BACKGROUND_TAIL.search(wording.prompt)
    at = tail.start() if tail is not None and tail.start() > 0 else len(wording.prompt)
    return Wording(f"{wording.prompt[:at]} and {thing}{wording.prompt[at:]}", ", ".join(unwanted))


def _change(wording: Wording, words: str) -> Wording | None:
    match = CHANGE.fullmatch(words)
    if match is not None:
        old, new = match[1], match[2]
    else:
        match = INSTEAD.fullmatch(words)
        if match is None:
            return None
        new, old = match[1], match[2]
    if old.lower() == "background":
        return _with_background(wording, new)
    old, new = _without_article(old), _without_article(new)
    pattern = re.compile(rf"(?:\b(an?) )?(?<![\w-]){re.escape(old)}(?![\w-])", re.IGNORECASE)
    if not pattern.search(wording.prompt):
        # "an apple instead of nothing" is no change of this prompt, so it is a prompt of its own.
        return None if match.re is INSTEAD and not _contains(wording.prompt, new) else _append(wording, new)
    return replace(
        wording,
        prompt=pattern.sub(
            lambda found: f"{article_for(new, found[1])} {new}" if found[1] else new, wording.prompt, count=1
        ),
    )


def _more_or_less(wording: Wording, words: str) -> Wording | None:
    return _append(wording, words) if MORE_LESS.fullmatch(words) else None


def _append(wording: Wording, words: str) -> Wording:
    if _contains(wording.prompt, words):
        return wording
    return replace(wording, prompt=f"{wording.prompt.rstrip(' ,.')}, {words}")


def _moved(wording: Wording, side: str) -> Wording:
    phrase = POSITIONS[side.lower()]
    prompt = wording.prompt
    found = POSITION_IN_PROMPT.search(prompt)
    if found is not None:
        return replace(wording, prompt=prompt[: found.start()] + phrase + prompt[found.end() :])
    tail = BACKGROUND_TAIL.search(prompt)
    at = tail.start() if tail is not None and tail.start() > 0 else len(prompt)
    return replace(wording, prompt=f"{prompt[:at].rstrip()} {phrase}{prompt[at:]}")


def _with_background(wording: Wording, colour: str) -> Wording:
    colour = _without_article(colour.lower())
    found = BACKGROUND_IN_PROMPT.search(wording.prompt)
    if found is None:
        if _contains(wording.prompt, f"{colour} background"):
            return wording
        prompt = f"{wording.prompt.rstrip(' ,.')} on {article_for(colour, 'a')} {colour} background"
        return replace(wording, prompt=prompt)
    before = wording.prompt[: found.start()]
    article = re.search(r"\b(an?)(\s+)$", before, re.IGNORECASE)
    if article is not None:
        before = f"{before[: article.start()]}{article_for(colour, article[1])}{article[2]}"
    return replace(wording, prompt=f"{before}{colour}{found[2]}{wording.prompt[found.end() :]}")


def _with_adjective(prompt: str, adjective: str, noun: str | None, of_class: frozenset[str]) -> str:
    """The prompt with `adjective` in place of the thing's one of that class, or before the thing where it has none."""
    words = prompt.split(" ")
    start, end = _thing(words, noun)
    if end < 0:
        return prompt if _contains(prompt, f"{adjective} {noun}") else f"{prompt.rstrip(' ,.')}, {adjective} {noun}"
    for at in range(start, end):
        bare = words[at].strip(",.;:").lower()
        if bare in of_class:
            words[at] = words[at].lower().replace(bare, adjective)
            return _with_right_article(words, at)
    # Sizes stand before colours: "a large red boat".
    at = start
    if of_class is COLOURS:
        while at < end and words[at].lower() in SIZES:
            at += 1
    words.insert(at, adjective)
    return _with_right_article(words, at)


def _thing(words: list[str], noun: str | None) -> tuple[int, int]:
    """Where the adjectives of the named thing (None: of the first one) begin and end; an end of -1: not there."""
    if noun is None:
        start = 1 if words and words[0].lower() in ARTICLES else 0
        end = start
        for at in range(start, min(len(words), start + 4)):
            bare = words[at].strip(",.;:").lower()
            if bare in {"on", "in", "at", "and", "with", "of", "background"} or bare in ARTICLES:
                break
            end = at + 1
            if words[at] != words[at].rstrip(",.;:"):
                break
        return start, end
    wanted = noun.split()[-1].lower()
    for at, word in enumerate(words):
        if word.strip(",.;:").lower() == wanted:
            start = at
            while start > 0 and at - start < 3:
                before = words[start - 1].lower()
                if before not in COLOURS and before not in SIZES:
                    break
                start -= 1
            return start, at
    return 0, -1


def _with_right_article(words: list[str], at: int) -> str:
    if at > 0 and words[at - 1].lower() in {"a", "an"}:
        words[at - 1] = article_for(words[at], words[at - 1])
    return " ".join(words)


def _leave_out(prompt: str, thing: str) -> str:
    """The prompt without the phrase that joins `thing` to it; unchanged where it is the only thing or not there."""
    adjectives = rf"(?:(?:{COLOUR}|{SIZE}) )*"
    phrase = rf"(?:(?:an?|the|some|one) )?{adjectives}{re.escape(_without_article(thing))}(?![\w-])"
    joined = "|".join(sorted(CONNECTIVES, key=len, reverse=True))
    after = re.compile(rf"(?:\s*,)?\s+(?:{joined}) {phrase}|\s*,\s*{phrase}", re.IGNORECASE)
    found = after.search(prompt)
    if found is not None and found.start() > 0:
        return (prompt[: found.start()] + prompt[found.end() :]).strip()
    leading = re.compile(rf"^{phrase}\s*(?:,|(?:\s(?:and|with|plus)))\s+", re.IGNORECASE)
    found = leading.search(prompt)
    if found is not None and found.end() < len(prompt):
        return prompt[found.end() :].strip()
    return prompt


def _contains(text: str, phrase: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text, re.IGNORECASE) is not None


def _without_article(words: str) -> str:
    first, _, rest = words.strip().partition(" ")
    return rest.strip() if rest and first.lower() in ARTICLES else words.strip()


RULES: tuple[Callable[[Wording, str], Wording | None], ...] = (
    _bare_quality,
    _background,
    _make,
    _change,
    _without,
    _more_or_less,
    _add,
)
