"""How a workspace trains: where approvals are asked for and how long, and how long pictures are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend_lambda.contract.subjects import SubjectKind
from commands.grammar.options import IntegerOption, Value
from commands.grammar.subcommands import Subcommand
from commands.grammar.subjects import MENTION

OFF = "off"
MAX_APPROVAL_DAYS = 30
MAX_KEPT_DAYS = 365
DAYS = re.compile(r"([0-9]{1,3})(?:d|days?)?")


@dataclass(frozen=True)
class ApprovalsOption:
    """A channel as Slack mentions it, or `off`."""

    name: str
    summary: str
    hint: str = "#channel|off"
    aliases: tuple[str, ...] = ()
    allowed: str = "a #channel, chosen from the list that Slack shows while you type, or off"
    names: tuple[str, ...] = (OFF,)
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)

    def read(self, text: str) -> str | None:
        """The mention or `off`, else None."""
        text = text.strip(",.;")
        if text.lower() == OFF:
            return OFF
        match = MENTION.fullmatch(text)
        return text if match is not None and match.lastgroup == SubjectKind.CHANNEL else None

    def write(self, value: Value) -> str:
        """As it was read."""
        return str(value)


@dataclass(frozen=True)
class KeptOption:
    """`30d`, or `off`: not kept at all."""

    name: str
    summary: str
    hint: str = "30d|off"
    aliases: tuple[str, ...] = ()
    allowed: str = f"a number of days from 1d to {MAX_KEPT_DAYS}d, or off"
    names: tuple[str, ...] = (OFF,)
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)

    def read(self, text: str) -> str | None:
        """`30d` or `off`, else None."""
        text = text.lower().strip(",;")
        if text == OFF:
            return OFF
        match = DAYS.fullmatch(text)
        return f"{int(match[1])}d" if match is not None and 1 <= int(match[1]) <= MAX_KEPT_DAYS else None

    def write(self, value: Value) -> str:
        """As it was read."""
        return str(value)


APPROVALS = ApprovalsOption("approvals", "Where requests for approval are posted; off: where the training is asked for")
APPROVAL_DAYS = IntegerOption("approval-days", "How many days a request waits for an answer", 1, MAX_APPROVAL_DAYS)
KEPT = KeptOption(
    "keep-pictures", "How long the pictures of a training are kept after it; off: not at all", aliases=("keep",)
)
TRAINING = Subcommand(
    "training",
    "How trainings are approved and how long pictures are kept; without options, shows it",
    options=(APPROVALS, APPROVAL_DAYS, KEPT),
    examples=(("training --approvals #styles --keep-pictures off", "asked there, and nothing is kept"),),
)


def policy_change(values: Mapping[str, Value]) -> dict[str, Any]:
    """The fields of the API's `TrainingPolicy` that were named."""
    named: dict[str, Any] = {}
    if APPROVALS.name in values:
        match = MENTION.fullmatch(str(values[APPROVALS.name]))
        named["approvals_place"] = match["channel"] if match is not None else ""
    if APPROVAL_DAYS.name in values:
        named["approval_days"] = int(values[APPROVAL_DAYS.name])
    if KEPT.name in values:
        kept = str(values[KEPT.name])
        named["keep_dataset_days"] = 0 if kept == OFF else int(kept.removesuffix("d"))
    return named
