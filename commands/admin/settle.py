"""From what an admin said to exactly one change: a fixed end, nothing that contradicts itself, a text to confirm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commands.admin.roles import is_own_role
from commands.admin.subcommands import (
    EXTERNAL_ID,
    GRANT,
    LIMIT,
    LIMIT_OPTIONS,
    LIMITS_OFF,
    ROLE,
    SUBCOMMANDS,
    UNTIL,
    is_change,
)
from commands.grammar.mistakes import BadValue, CommandTooLong, Mistake, NothingNamed, NotTogether
from commands.grammar.subcommands import Instruction, read_instruction, render_instruction
from commands.grammar.until import end_of, is_fixed, moment_text

MAX_CONFIRMED_CHARS = 2_000
"""What a button can carry."""
MOST_AHEAD = timedelta(days=365)


@dataclass(frozen=True)
class Settled:
    """A change that means the same whenever it is read; `text` is its canonical form."""

    instruction: Instruction
    text: str


def contradictions(instruction: Instruction) -> tuple[Mistake, ...]:
    """What does not go together, though each part is right."""
    values = instruction.values
    limits = tuple(option.name for option in LIMIT_OPTIONS)
    mistakes: list[Mistake] = []
    if instruction.path == GRANT.path and EXTERNAL_ID.name in values and not is_own_role(str(values[ROLE.name])):
        mistakes.append(NotTogether(EXTERNAL_ID.name, "the ARN of a role of your own"))
    if instruction.path == LIMIT.path:
        named = [name for name in limits if name in values]
        if LIMITS_OFF.name in values and named:
            mistakes.append(NotTogether(named[0], "limits that are not switched off"))
        elif LIMITS_OFF.name not in values and not set(named) - {"each"}:
            mistakes.append(NothingNamed(LIMIT.path, tuple(name for name in limits if name != "each")))
    return tuple(mistakes)


def settle(instruction: Instruction, now: datetime, workspace: str) -> Settled | tuple[Mistake, ...]:
    """The change in a workspace, with its end counted from `now` (UTC), or what is wrong with it."""
    external_id = instruction.values.get(EXTERNAL_ID.name)
    if external_id is not None and not _is_of(workspace, str(external_id)):
        allowed = f"{workspace}, or {workspace} followed by one of _+=,.@:/- and more"
        return (BadValue(EXTERNAL_ID.name, str(external_id), allowed),)
    until = instruction.values.get(UNTIL.name)
    if until is not None:
        end = end_of(until, now)
        if not now < end <= now + MOST_AHEAD:
            return (BadValue(UNTIL.name, str(until), UNTIL.allowed + ", within a year"),)
        instruction = replace(instruction, values={**instruction.values, UNTIL.name: moment_text(end)})
    text = render_instruction(SUBCOMMANDS, instruction)
    if len(text) > MAX_CONFIRMED_CHARS:
        return (CommandTooLong(len(text), MAX_CONFIRMED_CHARS),)
    return Settled(instruction, text)


def _is_of(workspace: str, external_id: str) -> bool:
    """It keeps one workspace from using a role that trusts another; the backend holds to the same."""
    rest = external_id.removeprefix(workspace)
    return external_id.startswith(workspace) and not rest[:1].isalnum()


def read_settled(text: str) -> Instruction | None:
    """The change that a button carries; None unless `text` is, to the letter, what `settle` writes."""
    instruction = read_instruction("", SUBCOMMANDS, text)
    if isinstance(instruction, tuple) or not is_change(instruction) or contradictions(instruction):
        return None
    until = instruction.values.get(UNTIL.name)
    if until is not None and not is_fixed(until):
        return None
    return instruction if render_instruction(SUBCOMMANDS, instruction) == text else None
