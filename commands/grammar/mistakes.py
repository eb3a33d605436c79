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
    """`given` is not what the option takes; `allowed` is, and `nearest` is the most similar of its names."""

    option: str
    given: str
    allowed: str
    nearest: str | None = None


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


@dataclass(frozen=True)
class UnknownSubcommand:
    """`command` can't do `given`; `nearest` is the most similar thing that it can do, if any is."""

    command: str
    given: str
    nearest: str | None
    available: tuple[str, ...]


@dataclass(frozen=True)
class MissingArgument:
    """`subcommand` needs an `argument`; `allowed` says what it takes."""

    subcommand: str
    argument: str
    allowed: str


@dataclass(frozen=True)
class BadArgument:
    """`given` is not what stands there in `subcommand`; `nearest` is the most similar of what may."""

    subcommand: str
    argument: str
    given: str
    allowed: str
    nearest: str | None = None


@dataclass(frozen=True)
class SuperfluousWords:
    """`subcommand` has no use for `given`."""

    subcommand: str
    given: str


@dataclass(frozen=True)
class NothingNamed:
    """`subcommand` needs at least one of these options."""

    subcommand: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class NotTogether:
    """The option makes no sense here; `only` says when it would."""

    option: str
    only: str


@dataclass(frozen=True)
class CommandTooLong:
    """All of it, written out, has `length` characters; `limit` fit behind a button."""

    length: int
    limit: int


Mistake = (
    UnknownOption
    | DuplicateOption
    | MissingValue
    | BadValue
    | PromptMissing
    | PromptTooLong
    | UnknownSubcommand
    | MissingArgument
    | BadArgument
    | SuperfluousWords
    | NothingNamed
    | NotTogether
    | CommandTooLong
)
