"""The kinds of options that a command may have. Each reads its value from text and writes it back."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

Value = int | float | str

INTEGER = re.compile(r"[0-9]{1,18}")
NUMBER = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,20})?")
RATIO = re.compile(r"([0-9]{1,4})[:x×/]([0-9]{1,4})", re.IGNORECASE)


class Option(Protocol):
    """One option of a command. `allowed` is the end of "…; allowed is …"; `hint` stands in the usage line."""

    @property
    def name(self) -> str:
        """As it is typed, without the dashes."""
        ...

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names that mean the same."""
        ...

    @property
    def summary(self) -> str:
        """What it does, for the help."""
        ...

    @property
    def hint(self) -> str:
        """Its value in the usage line."""
        ...

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        ...

    @property
    def takes_words(self) -> bool:
        """Whether its value goes on to the next option."""
        ...

    @property
    def takes_value(self) -> bool:
        """Whether anything belongs to it at all; what does not is on where it is named."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names that it takes, of which the nearest is suggested; empty where it takes none or any."""
        ...

    def read(self, text: str) -> Value | None:
        """The value that this text means, or None."""
        ...

    def write(self, value: Value) -> str:
        """Text that `read` takes for the same value."""
        ...


@runtime_checkable
class JoinedOption(Option, Protocol):
    """An option that may be given several times: the values are one together."""

    def join(self, earlier: Value, text: str) -> Value | None:
        """What `earlier` and then `text` mean together, or None."""
        ...


@dataclass(frozen=True)
class IntegerOption:
    """A whole number from `least` to `most`."""

    name: str
    summary: str
    least: int
    most: int
    hint: str = "N"
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return f"a whole number from {self.least} to {self.most}"

    def read(self, text: str) -> int | None:
        """The number, or None where it is none or out of range."""
        if not INTEGER.fullmatch(text):
            return None
        value = int(text)
        return value if self.least <= value <= self.most else None

    def write(self, value: Value) -> str:
        """Decimal digits."""
        return str(int(value))


@dataclass(frozen=True)
class NumberOption:
    """A number from `least` to `most`; a comma may stand for the point."""

    name: str
    summary: str
    least: float
    most: float
    hint: str = "X"
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return f"a number from {self.least:g} to {self.most:g}"

    def read(self, text: str) -> float | None:
        """The number, or None where it is none or out of range."""
        if not NUMBER.fullmatch(text):
            return None
        value = float(text.replace(",", "."))
        return value if self.least <= value <= self.most else None

    def write(self, value: Value) -> str:
        """The shortest decimal digits that mean this number."""
        text = repr(float(value))
        return f"{float(value):.20f}".rstrip("0").rstrip(".") if "e" in text else text.removesuffix(".0")


@dataclass(frozen=True)
class RatioOption:
    """Width to height, such as `3:2`, in lowest terms; the longer side at most `most` times the shorter one."""

    name: str
    summary: str
    most: int
    hint: str = "3:2"
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return f"width:height such as 3:2, the longer side at most {self.most} times the shorter one"

    def read(self, text: str) -> str | None:
        """The ratio in lowest terms, or None."""
        match = RATIO.fullmatch(text)
        if match is None:
            return None
        across, down = int(match[1]), int(match[2])
        if min(across, down) < 1 or max(across, down) > self.most * min(across, down):
            return None
        return ratio_of(across, down)

    def write(self, value: Value) -> str:
        """`3:2`."""
        return str(value)


@dataclass(frozen=True)
class NameOption:
    """A name of lower-case letters, digits and hyphens; which names exist is the backend's to say."""

    name: str
    summary: str
    allowed: str
    hint: str = "name"
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    def read(self, text: str) -> str | None:
        """The name in lower case, or None where it can't be one."""
        value = text.lower()
        return value if re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", value) else None

    def write(self, value: Value) -> str:
        """The name itself."""
        return str(value)


@dataclass(frozen=True)
class WordsOption:
    """Words up to the next option. Double quotes only hold words together; `""` means none."""

    name: str
    summary: str
    hint: str = "…"
    aliases: tuple[str, ...] = ()
    allowed: str = "words, up to the next option"
    most_chars: int | None = None
    takes_words: bool = field(default=True, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    def read(self, text: str) -> str | None:
        """The words, or None where there are too many."""
        words = " ".join(text.replace('"', "").split())
        return words if self.most_chars is None or len(words) <= self.most_chars else None

    def write(self, value: Value) -> str:
        """The words in quotes."""
        return f'"{value}"'


def ratio_of(width: int, height: int) -> str:
    """`1024, 768` → `4:3`."""
    divisor = math.gcd(width, height)
    return f"{width // divisor}:{height // divisor}"
