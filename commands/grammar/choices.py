"""Options that take one or several of known names, and those that are just named."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from commands.grammar.options import Value

SEPARATORS = re.compile(r"[,;\s]+")


@dataclass(frozen=True)
class FlagOption:
    """On where it is named."""

    name: str
    summary: str
    hint: str = ""
    aliases: tuple[str, ...] = ()
    allowed: str = "nothing behind it"
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=False, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    def read(self, text: str) -> bool | None:
        """True; None where something stands behind it."""
        return None if text else True

    def write(self, value: Value) -> str:
        """Nothing."""
        return ""


@dataclass(frozen=True)
class ChoiceOption:
    """One of `names`, in lower case."""

    name: str
    summary: str
    names: tuple[str, ...]
    hint: str = ""
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return " or ".join(filter(None, (", ".join(self.names[:-1]), self.names[-1])))

    def read(self, text: str) -> str | None:
        """The name, or None."""
        name = text.lower().strip(",;")
        return name if name in self.names else None

    def write(self, value: Value) -> str:
        """The name."""
        return str(value)


@dataclass(frozen=True)
class ChoicesOption:
    """Several of `several`, written `see,paint` in their own order, or one of `alone` and nothing else."""

    name: str
    summary: str
    several: tuple[str, ...]
    alone: tuple[str, ...] = ()
    hint: str = ""
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=True, init=False)
    takes_value: bool = field(default=True, init=False)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.several, *self.alone)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        alone = "".join(f", or {name}" for name in self.alone)
        return f"any of {', '.join(self.several)}{alone}"

    def read(self, text: str) -> str | None:
        """The names, or None where another word is among them."""
        words = {word for word in SEPARATORS.split(text.lower()) if word}
        if len(words) == 1 and words <= set(self.alone):
            return words.pop()
        if not words or not words <= set(self.several):
            return None
        return ",".join(name for name in self.several if name in words)

    def write(self, value: Value) -> str:
        """The names."""
        return str(value)


@dataclass(frozen=True)
class NamesOption:
    """Names that fit `pattern`, written `a,b`; at most `most`, each once."""

    name: str
    summary: str
    allowed: str
    pattern: str
    most: int
    hint: str = "a,b"
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=True, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    def read(self, text: str) -> str | None:
        """The names in lower case, or None where one can't be."""
        words = dict.fromkeys(word for word in SEPARATORS.split(text.lower()) if word)
        if not 1 <= len(words) <= self.most or not all(re.fullmatch(self.pattern, word) for word in words):
            return None
        return ",".join(words)

    def write(self, value: Value) -> str:
        """The names."""
        return str(value)


@dataclass(frozen=True)
class PhrasesOption:
    """Phrases with commas between them, written `"a, b c"`: each once, whatever its capitals, of bounded length."""

    name: str
    summary: str
    least_chars: int
    most_chars: int
    most: int
    hint: str = "word, two words"
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=True, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return (
            f"at most {self.most} words or phrases of {self.least_chars} to {self.most_chars} characters, "
            "with commas between them"
        )

    def read(self, text: str) -> str | None:
        """The phrases, or None."""
        phrases: dict[str, str] = {}
        for phrase in (" ".join(part.split()) for part in text.replace('"', "").split(",")):
            if phrase:
                phrases.setdefault(phrase.casefold(), phrase)
        fit = all(self.least_chars <= len(phrase) <= self.most_chars for phrase in phrases.values())
        return ", ".join(phrases.values()) if fit and 1 <= len(phrases) <= self.most else None

    def write(self, value: Value) -> str:
        """The phrases in quotes, which hold them together."""
        return f'"{value}"'


def split_names(value: Value | None) -> tuple[str, ...]:
    """What `ChoicesOption` and `NamesOption` have read, one by one."""
    return tuple(str(value).split(",")) if value else ()


def split_phrases(value: Value | None) -> tuple[str, ...]:
    """What `PhrasesOption` has read, one by one."""
    return tuple(str(value).split(", ")) if value else ()
