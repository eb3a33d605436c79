"""Words, quoted phrases and option names in cleaned text."""

from __future__ import annotations

import re
from dataclasses import dataclass

PIECE = re.compile(r'[^\s"]*"[^"]*"\S*|\S+')
DASHES = "‐‑‒–—―−⸺⸻﹣－"
OPTION = re.compile(rf"([-{DASHES}]+)([A-Za-z][A-Za-z_-]*)(=(.*))?", re.DOTALL)
TERMINATOR = "--"


@dataclass(frozen=True)
class Word:
    """A word or quoted phrase as it was typed."""

    text: str

    @property
    def unquoted(self) -> str:
        """The text without its double quotes."""
        return self.text.replace('"', "")


@dataclass(frozen=True)
class OptionName:
    """`--name` or `--name=value`. `is_certain` is false where a dash of prose may be meant (`—name`)."""

    name: str
    value: str | None
    is_certain: bool
    text: str


Token = Word | OptionName


def tokenize(text: str) -> tuple[list[Token], str | None]:
    """The tokens of cleaned text, and the literal rest after a lone `--` (None where there is none)."""
    tokens: list[Token] = []
    for match in PIECE.finditer(text):
        piece = match[0]
        if piece == TERMINATOR:
            return tokens, text[match.end() :].strip()
        tokens.append(_token(piece))
    return tokens, None


def looks_like_option(piece: str) -> bool:
    """Whether this word would be read as an option's name."""
    return piece == TERMINATOR or isinstance(_token(piece), OptionName)


def _token(piece: str) -> Token:
    match = OPTION.fullmatch(piece)
    # One plain hyphen is prose: "-5 degrees", "-ish".
    if match is None or match[1] == "-":
        return Word(piece)
    is_certain = match[1].startswith("--") or len(match[1]) > 1
    return OptionName(match[2].lower(), match[4], is_certain, piece)
