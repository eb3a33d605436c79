"""Finds blocked words and phrases in a prompt, also where they are dressed up a little.

Seen through: upper and lower case, full-width and other compatibility forms, invisible characters, strokes over
letters, letters that are spaced out (`b l o o d`, `b.l*o-o_d`), and phrases with anything or nothing between their
words. Found are whole words only: `ass` is not in `glass`. In scripts that are written without spaces a word may stand
anywhere. Not seen through: other alphabets' lookalikes, digits for letters, misspellings.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_APOSTROPHES = frozenset("'’ʼ‘`´＇")
_UNSPACED = ("CJK UNIFIED", "CJK COMPATIBILITY", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
_MARKS_OVER_LETTERS = (
    ("\u0300", "\u036f"),
    ("\u1ab0", "\u1aff"),
    ("\u1dc0", "\u1dff"),
    ("\u20d0", "\u20ff"),
    ("\ufe20", "\ufe2f"),
)
_HIDDEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""The grapheme joiner, and letters for which nothing is drawn."""
_MOST_ROUNDS = 8


def find_blocked(text: str, words: Iterable[str]) -> str | None:
    """The first of `words` that is in the text, as it stands in the list; None where none is."""
    plain = normalize(text)
    tokens = _tokens(plain)
    spaced = f" {' '.join(tokens)} "
    runs = list(_runs_of_letters(tokens))
    for word in words:
        phrase, joined, symbols = _read(word)
        if phrase:
            if f" {phrase} " in spaced or f" {joined} " in spaced or any(joined in run for run in runs):
                return word
        elif symbols and symbols in plain:
            return word
    return None


def normalize(text: str) -> str:
    """Text as it is compared: compatibility forms and case are gone, and so is what can't be seen."""
    for _ in range(_MOST_ROUNDS):
        visible = "".join(char for char in text if not _is_hidden(char))
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
        # A mark that has not become part of its letter is drawn over it.
        plain = "".join(char for char in folded if not _is_hidden(char) and not _is_mark_over_letter(char))
        if plain == text:
            break
        text = plain
    return text


@lru_cache(maxsize=4096)
def _read(word: str) -> tuple[str, str, str]:
    """A blocked word's tokens with spaces between them, without, and, where it has none, what it is made of."""
    plain = normalize(word)
    tokens = _tokens(plain)
    return " ".join(tokens), "".join(tokens), "".join(plain.split())


def _tokens(plain: str) -> list[str]:
    """The words; every character of a script without spaces is one."""
    tokens: list[str] = []
    is_open = False
    for char in plain:
        if char in _APOSTROPHES:
            continue
        if not _is_part_of_word(char):
            is_open = False
        elif _is_unspaced(char):
            tokens.append(char)
            is_open = False
        elif is_open:
            tokens[-1] += char
        else:
            tokens.append(char)
            is_open = True
    return tokens


def _runs_of_letters(tokens: list[str]) -> Iterable[str]:
    """What stands together when single letters in a row are read as one."""
    run = ""
    for token in [*tokens, "  "]:
        if len(token) == 1:
            run += token
            continue
        if len(run) > 1:
            yield run
        run = ""


def _is_part_of_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNM"


def _is_unspaced(char: str) -> bool:
    return char > "\u0e00" and unicodedata.name(char, "").startswith(_UNSPACED)


def _is_mark_over_letter(char: str) -> bool:
    return any(first <= char <= last for first, last in _MARKS_OVER_LETTERS)


def _is_hidden(char: str) -> bool:
    """Control and format characters, variation selectors, fillers: nothing is drawn for them."""
    return (
        (unicodedata.category(char) in {"Cc", "Cf"} and not char.isspace())
        or char in _HIDDEN
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
    )
