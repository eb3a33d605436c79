"""Why someone may or may not: the entry that decides, the guardrail, and IAM's answer for each action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from backend_lambda.contract.actions import Action
from backend_lambda.contract.subjects import SubjectKind
from commands.trouble import code
from commands.views.access_words import (
    entry_line,
    guardrail_text,
    member_text,
    role_text,
    subject_text,
    until_text,
)
from commands.views.blocks import Message, context, message, section

if TYPE_CHECKING:
    from backend_lambda.contract.access import Entry

SAID = {
    Action.SEE: "see models, jobs and limits",
    Action.PAINT: "paint",
    Action.DELETE: "delete pictures, cancel jobs",
    Action.TRAIN: "train styles",
    Action.APPROVE: "approve trainings",
    Action.SELF_APPROVE: "approve trainings of their own",
    Action.SCALE: "scale endpoints",
    Action.HOOK: "register webhooks",
    Action.GRANT: "grant, deny, limit, block words",
}


class Verdict(StrEnum):
    """What IAM says of one action."""

    ALLOWED = "allowed"
    ROLE_SILENT = "role_silent"
    """No policy of the role allows it."""
    ROLE_DENIES = "role_denies"
    GUARDRAIL_SILENT = "guardrail_silent"
    """The channel's guardrail does not allow it."""
    UNKNOWN = "unknown"
    """IAM could not be asked."""


@dataclass(frozen=True)
class Explanation:
    """What was found out about a member in a channel. `verdicts` is empty where nothing is granted."""

    member: str
    channel: str
    grant: Entry | None
    denies: Sequence[Entry]
    guardrail: Entry | None
    verdicts: Sequence[tuple[Action, Verdict]]
    are_groups_known: bool = True
    model: str = ""
    """The model that painting was asked for."""


def access_why(found: Explanation) -> Message:
    """The explanation as a message."""
    where = f" in {subject_text(SubjectKind.CHANNEL, found.channel)}" if found.channel else ""
    who = f"{member_text(found.member)}{where}"
    actions = "\n".join(_verdict_line(found, action, verdict) for action, verdict in found.verdicts)
    guardrail = found.guardrail.guardrail if found.guardrail is not None else None
    notes = [
        "Asked of IAM just now, for this role and this channel's guardrail." if found.verdicts else "",
        "" if found.are_groups_known else "Slack did not say which user groups they are in: those are left out here.",
        "A member of another company needs a grant to them by name; other grants don't count for them.",
    ]
    return message(
        f"Why {who}",
        [
            section(f"*{who}*\n{_deciding(found)}"),
            section("*Denies*\n" + "\n".join(map(entry_line, found.denies))) if found.denies else None,
            section(f"*Guardrail of the channel*\n{guardrail_text(guardrail)}") if guardrail is not None else None,
            section(f"*What IAM says*\n{actions}") if actions else None,
            context(*notes),
        ],
    )


def _deciding(found: Explanation) -> str:
    if found.denies:
        return ":no_entry: Refused: a deny wins over every grant."
    if found.grant is None:
        return ":no_entry: Refused: nothing is granted."
    grant = found.grant
    role = role_text(grant.role, grant.role_arn)
    by = subject_text(grant.kind, grant.id)
    return f":white_check_mark: Acts as {role}, because of the grant to {by}{until_text(grant.ends_at)}."


def _verdict_line(found: Explanation, action: Action, verdict: Verdict) -> str:
    said = SAID[action]
    if action is Action.PAINT and found.model:
        said += f" with {code(found.model)}"
    match verdict:
        case Verdict.ALLOWED:
            return f":white_check_mark: {said}"
        case Verdict.ROLE_SILENT:
            return f":no_entry: {said}: no policy of the role allows it"
        case Verdict.ROLE_DENIES:
            return f":no_entry: {said}: a policy of the role denies it explicitly"
        case Verdict.GUARDRAIL_SILENT:
            return f":no_entry: {said}: the channel's guardrail does not allow it"
        case Verdict.UNKNOWN:
            return f":grey_question: {said}: IAM could not be asked about this role"
