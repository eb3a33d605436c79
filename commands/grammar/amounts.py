"""How much of something: so many a day, so many pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from commands.grammar.options import Value

A_DAY = re.compile(r"([0-9]{1,9})(?:/(?:day|d))?", re.IGNORECASE)
SIZE = re.compile(r"([0-9]{1,5})[x×*]([0-9]{1,5})", re.IGNORECASE)


@dataclass(frozen=True)
class DailyOption:
    """`50/day`: a whole number from 0 to `most`, for each UTC day."""

    name: str
    summary: str
    most: int
    hint: str = "50/day"
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return f"a whole number a day from 0 to {self.most}, such as {self.hint}"

    def read(self, text: str) -> int | None:
        """The number, or None."""
        match = A_DAY.fullmatch(text)
        return int(match[1]) if match is not None and int(match[1]) <= self.most else None

    def write(self, value: Value) -> str:
        """`50/day`."""
        return f"{value}/day"


@dataclass(frozen=True)
class SizeOption:
    """`512x512`: width and height in pixels, each from `least` to `most`."""

    name: str
    summary: str
    least: int
    most: int
    hint: str = "512x512"
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return f"width and height in pixels such as {self.hint}, each from {self.least} to {self.most}"

    def read(self, text: str) -> str | None:
        """`512x512`, or None."""
        match = SIZE.fullmatch(text)
        if match is None or not all(self.least <= int(side) <= self.most for side in match.groups()):
            return None
        return f"{int(match[1])}x{int(match[2])}"

    def write(self, value: Value) -> str:
        """`512x512`."""
        return str(value)


def pixels_of(value: Value) -> int:
    """How many pixels the size that `SizeOption` has read means."""
    width, _, height = str(value).partition("x")
    return int(width) * int(height)
