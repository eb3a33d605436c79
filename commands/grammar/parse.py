"""Reads slash text: a prompt with options anywhere in it. Never raises; mistakes are values."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from commands.grammar.clean import clean, escape, shorten
from commands.grammar.mistakes import BadValue, DuplicateOption, MissingValue, Mistake, UnknownOption
from commands.grammar.options import JoinedOption, Option, Value
from commands.grammar.tokens import OptionName, Token, Word, looks_like_option, tokenize

GIVEN_CHARS = 60
MAX_MISTAKES = 5


@dataclass(frozen=True)
class Parsed:
    """What was said: the prompt (may be empty) and the options that were named, by their canonical names."""

    prompt: str
    values: Mapping[str, Value] = field(default_factory=dict)


def parse(command: str, options: Sequence[Option], text: str) -> Parsed | tuple[Mistake, ...]:
    """Read `text` for `command` (used in mistakes only). Returns what was said, or at most five mistakes."""
    reader = OptionReader(command, options)
    words, rest = reader.read(clean(text))
    if reader.mistakes:
        return tuple(reader.mistakes[:MAX_MISTAKES])
    prompt = _without_outer_quotes(" ".join(word.text for word in words))
    if rest is not None:
        prompt = " ".join(part for part in (prompt, rest) if part)
    return Parsed(prompt, reader.values)


def render(options: Sequence[Option], parsed: Parsed) -> str:
    """Slash text, escaped for Slack, that `parse` reads as `parsed`."""
    by_name = {option.name: option for option in options}
    written = [write_option(by_name[name], value) for name, value in parsed.values.items()]
    needs_terminator = '"' in parsed.prompt or any(looks_like_option(word) for word in parsed.prompt.split())
    if needs_terminator:
        return escape(" ".join([*written, "--", parsed.prompt]))
    return escape(" ".join([parsed.prompt, *written]).strip())


def write_option(option: Option, value: Value) -> str:
    """`--name value`, not escaped."""
    return f"--{option.name} {option.write(value)}".rstrip()


def nearest_name(given: str, names: Sequence[str], cutoff: float = 0.6) -> str | None:
    """The name most like `given`, or None where none is."""
    close = difflib.get_close_matches(given, names, n=1, cutoff=cutoff)
    if close:
        return close[0]
    # A part of a name says more than its letters do: "step", "neg".
    starting = [name for name in names if len(given) >= 2 and (name.startswith(given) or given.startswith(name))]
    return starting[0] if starting and len(starting[0]) > 1 else None


class OptionReader:
    """Takes a command's options out of cleaned text: `values` by canonical names, and `mistakes`.

    Where prose stands between options, a dash before a word that is like no option belongs to it.
    """

    def __init__(self, command: str, options: Sequence[Option], is_prose: bool = True) -> None:
        self._command = command
        self._options = options
        self._is_prose = is_prose
        self._by_name = {name: option for option in options for name in (option.name, *option.aliases)}
        self._named: set[str] = set()
        self._is_like_an_option: dict[str, bool] = {}
        self.mistakes: list[Mistake] = []
        self.values: dict[str, Value] = {}

    def read(self, text: str) -> tuple[list[Word], str | None]:
        """The words that belong to no option, and the literal rest after a lone `--`."""
        tokens, rest = tokenize(text)
        tokens = [self._settle(token) for token in tokens]
        words: list[Word] = []
        at = 0
        while at < len(tokens) and len(self.mistakes) < MAX_MISTAKES:
            token = tokens[at]
            at += 1
            if isinstance(token, Word):
                words.append(token)
                continue
            end = at
            while end < len(tokens) and isinstance(tokens[end], Word):
                end += 1
            following = [word for word in tokens[at:end] if isinstance(word, Word)]
            at += self._take_option(token, following)
        return words, rest

    def _settle(self, token: Token) -> Token:
        """A dash of prose before a word that is like no option stays prose."""
        if isinstance(token, Word) or not self._is_prose or token.is_certain or token.name in self._by_name:
            return token
        if token.name not in self._is_like_an_option:
            nearest = nearest_name(token.name, list(self._by_name), cutoff=0.75)
            self._is_like_an_option[token.name] = nearest is not None
        return token if self._is_like_an_option[token.name] else Word(token.text)

    def _take_option(self, token: OptionName, following: list[Word]) -> int:
        """Read one option and the words after it; returns how many of them it took."""
        option = self._by_name.get(token.name)
        if option is None:
            names = list(self._by_name)
            nearest = nearest_name(token.name, names)
            self.mistakes.append(
                UnknownOption(
                    self._command,
                    shorten(token.name, GIVEN_CHARS),
                    self._by_name[nearest].name if nearest else None,
                    tuple(option.name for option in self._options),
                )
            )
            return 0
        is_repeated = option.name in self._named
        self._named.add(option.name)
        text, taken = self._value_text(option, token, following)
        if is_repeated and not isinstance(option, JoinedOption):
            self.mistakes.append(DuplicateOption(option.name))
        elif text is None:
            self.mistakes.append(MissingValue(option.name, option.allowed))
        else:
            value = self._read(option, text)
            if value is None:
                nearest = nearest_name(text[:GIVEN_CHARS].lower(), option.names)
                self.mistakes.append(BadValue(option.name, shorten(text, GIVEN_CHARS), option.allowed, nearest))
            else:
                self.values[option.name] = value
        return taken

    def _read(self, option: Option, text: str) -> Value | None:
        earlier = self.values.get(option.name)
        if earlier is not None and isinstance(option, JoinedOption):
            return option.join(earlier, text)
        return option.read(text)

    @staticmethod
    def _value_text(option: Option, token: OptionName, following: list[Word]) -> tuple[str | None, int]:
        inline = [] if token.value is None else [Word(token.value)]
        if not option.takes_value:
            return (inline[0].unquoted if inline else ""), 0
        if option.takes_words:
            words = inline + following
            return (" ".join(word.unquoted for word in words) if words else None), len(following)
        if inline:
            text = inline[0].unquoted
            return (text or None), 0
        return (following[0].unquoted, 1) if following else (None, 0)


def _without_outer_quotes(prompt: str) -> str:
    """Quotes around the whole prompt hold it together; others belong to it."""
    if len(prompt) >= 2 and prompt[0] == prompt[-1] == '"' and '"' not in prompt[1:-1]:
        return prompt[1:-1].strip()
    return prompt
