"""Commands whose first words say what to do: `access grant <who> <role> [options]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from commands.grammar.clean import clean, escape, shorten
from commands.grammar.mistakes import BadArgument, MissingArgument, Mistake, SuperfluousWords, UnknownSubcommand
from commands.grammar.options import Option, Value
from commands.grammar.parse import GIVEN_CHARS, MAX_MISTAKES, OptionReader, nearest_name, write_option
from commands.grammar.tokens import Word


@dataclass(frozen=True)
class Subcommand:
    """One thing that a command can do. `path` is the words that name it.

    `arguments` are options that are given by their place, the first `required` of them always. Only the last of them
    may take several words. No argument has an option's name.
    """

    path: str
    summary: str
    arguments: tuple[Option, ...] = ()
    required: int = 0
    options: tuple[Option, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def short_usage(self) -> str:
        """`access grant @who role`, without the options."""
        arguments = [
            argument.hint if index < self.required else f"[{argument.hint}]"
            for index, argument in enumerate(self.arguments)
        ]
        return " ".join([self.path, *arguments])

    @property
    def usage(self) -> str:
        """`access grant @who role [--until 8h]`."""
        options = [f"[--{option.name} {option.hint}".rstrip() + "]" for option in self.options]
        return " ".join([self.short_usage, *options])


@dataclass(frozen=True)
class Instruction:
    """What was said to a command with subcommands: which one, and its arguments and options by name."""

    path: str
    values: Mapping[str, Value] = field(default_factory=dict)


def read_instruction(command: str, subcommands: Sequence[Subcommand], text: str) -> Instruction | tuple[Mistake, ...]:
    """Read `text` for `command` (used in mistakes only). Returns what was said, or at most five mistakes."""
    words = clean(text, keeps_mentions=True).split()
    found = _find(subcommands, words)
    if found is None:
        return (_unknown(command, subcommands, words),)
    rest = " ".join(words[len(found.path.split()) :])
    reader = OptionReader(f"{command} {found.path}", found.options, is_prose=False)
    given, literal = reader.read(rest)
    given += [Word(word) for word in (literal or "").split()]
    arguments, mistakes = _arguments(f"{command} {found.path}", found, given)
    if reader.mistakes or mistakes:
        return tuple([*reader.mistakes, *mistakes][:MAX_MISTAKES])
    return Instruction(found.path, {**arguments, **reader.values})


def render_instruction(subcommands: Sequence[Subcommand], instruction: Instruction) -> str:
    """Text, escaped for Slack, that `read_instruction` reads as `instruction`; the same for the same instruction."""
    found = subcommand_of(subcommands, instruction)
    values = instruction.values
    written = [found.path]
    written += [argument.write(values[argument.name]) for argument in found.arguments if argument.name in values]
    written += [write_option(option, values[option.name]) for option in found.options if option.name in values]
    return escape(" ".join(written))


def subcommand_of(subcommands: Sequence[Subcommand], instruction: Instruction) -> Subcommand:
    """The subcommand that an instruction is for; raises `StopIteration` where there is none."""
    return next(one for one in subcommands if one.path == instruction.path)


def _find(subcommands: Sequence[Subcommand], words: Sequence[str]) -> Subcommand | None:
    said = [word.lower() for word in words]
    matching = [one for one in subcommands if one.path.split() == said[: len(one.path.split())]]
    return max(matching, key=lambda one: len(one.path), default=None)


def _unknown(command: str, subcommands: Sequence[Subcommand], words: Sequence[str]) -> Mistake:
    paths = [one.path for one in subcommands]
    given = shorten(" ".join(words[:2]), GIVEN_CHARS)
    first, _, second = given.lower().partition(" ")
    group = tuple(path for path in paths if path.partition(" ")[0] == first)
    if group and not second:
        return UnknownSubcommand(command, given, None, group)
    # Some say the last word of a path alone: "grant @ada artist".
    by_last_word = {path.rpartition(" ")[2]: path for path in reversed(paths)}
    nearest = by_last_word.get(first) or nearest_name(given.lower(), paths, cutoff=0.7)
    if nearest is None:
        nearest = by_last_word.get(nearest_name(first, list(by_last_word), cutoff=0.7) or "")
    return UnknownSubcommand(command, given, nearest, group or tuple(paths))


def _arguments(command: str, subcommand: Subcommand, words: Sequence[Word]) -> tuple[dict[str, Value], list[Mistake]]:
    """The values of what is given by its place, and what is wrong with it."""
    values: dict[str, Value] = {}
    mistakes: list[Mistake] = []
    at = 0
    for index, argument in enumerate(subcommand.arguments):
        taken = words[at:] if argument.takes_words else words[at : at + 1]
        at += len(taken)
        if not taken:
            if index < subcommand.required:
                mistakes.append(MissingArgument(command, argument.name, argument.allowed))
            continue
        text = " ".join(word.unquoted for word in taken)
        value = argument.read(text)
        if value is None:
            nearest = nearest_name(text[:GIVEN_CHARS].lower(), argument.names)
            given = shorten(text, GIVEN_CHARS)
            mistakes.append(BadArgument(command, argument.name, given, argument.allowed, nearest))
        else:
            values[argument.name] = value
    if at < len(words):
        mistakes.append(SuperfluousWords(command, shorten(" ".join(word.text for word in words[at:]), GIVEN_CHARS)))
    return values, mistakes
