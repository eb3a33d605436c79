"""What can be wrong with what someone typed: facts only. `commands.sentences` makes the sentences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnknownOption:
    """`given` is no option of `command`; `nearest` is the most similar one, if any is."""

    command: str
    given: str
    nearest: str | None
    available: tuple[str, ...]


@dataclass(frozen=True)
class DuplicateOption:
    """The option was given more than once."""

    option: str


@dataclass(frozen=True)
class MissingValue:
    """The option needs a value; `allowed` says which."""

    option: str
    allowed: str


@dataclass(frozen=True)
class BadValue:
    """`given` is not what the option takes; `allowed` says what it takes."""

    option: str
    given: str
    allowed: str


@dataclass(frozen=True)
class PromptMissing:
    """There are options, but nothing to paint."""

    command: str


@dataclass(frozen=True)
class PromptTooLong:
    """The prompt (or what `option` names) has `length` characters; `limit` are allowed."""

    option: str | None
    length: int
    limit: int


Mistake = UnknownOption | DuplicateOption | MissingValue | BadValue | PromptMissing | PromptTooLong
