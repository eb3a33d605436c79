"""`/imagine-admin`: who may do what, how much of it, and which words are blocked."""

from __future__ import annotations

from commands.admin.settle import contradictions
from commands.admin.subcommands import SUBCOMMANDS, is_change
from commands.command import Change, Command, Look, Plan, Refuse, ShowHelp, asks_for_help
from commands.grammar.clean import clean
from commands.grammar.subcommands import read_instruction, render_instruction

NAME = "/imagine-admin"

TOPICS = frozenset(topic for one in SUBCOMMANDS for topic in (one.path, one.path.partition(" ")[0]))
"""What may stand before `help`."""
MAX_HELP_CHARS = 200


def plan(text: str) -> Plan:
    """What to do about `/imagine-admin <text>`."""
    if _asks_for_help(text):
        return ShowHelp()
    instruction = read_instruction(NAME, SUBCOMMANDS, text)
    if isinstance(instruction, tuple):
        return Refuse(instruction)
    mistakes = contradictions(instruction)
    if mistakes:
        return Refuse(mistakes)
    if is_change(instruction):
        return Change(instruction)
    return Look(render_instruction(SUBCOMMANDS, instruction))


def _asks_for_help(text: str) -> bool:
    if len(text) > MAX_HELP_CHARS:
        return False
    said = clean(text, keeps_mentions=True)
    topic, _, last = said.rpartition(" ")
    return not said or asks_for_help(said) or (topic.lower() in TOPICS and asks_for_help(last))


IMAGINE_ADMIN = Command(
    name=NAME,
    summary="Who may use Easel, for what and how much; for its admins",
    options=(),
    plan=plan,
    examples=(),
    subcommands=SUBCOMMANDS,
    is_prompt_taken=False,
    should_escape=True,
    notes=(
        "The most specific grant decides: member, user group, channel, workspace. Any deny wins over all. "
        "What changes something is shown first and made when you press Confirm, under your own IAM role. "
        "Only you see the answers; every change leaves an audit record.",
    ),
)
