"""Subjects, limits, guardrails and entries in words: the phrases of lists, previews and refusals."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from backend_lambda.contract.subjects import SubjectKind
from commands.admin.roles import role_name
from commands.grammar.clean import escape, shorten
from commands.grammar.subjects import mention
from commands.trouble import code
from commands.views.moments import moment

if TYPE_CHECKING:
    # pydantic: the acknowledging function must not pay for it.
    from backend_lambda.contract.access import Entry, Guardrail, Limits

REASON_CHARS = 120
LISTED_MODELS = 6


def subject_text(kind: str, subject_id: str) -> str:
    """A mention, `this workspace`, or the id of what Slack does not know."""
    if kind == SubjectKind.WORKSPACE:
        return "this workspace"
    if kind == SubjectKind.ORG:
        return "the organisation"
    return mention(kind, subject_id) or code(subject_id)


def everybody_meant(kind: str, subject_id: str) -> str:
    """Whom it reaches: `everybody in #design`."""
    text = subject_text(kind, subject_id)
    return text if kind == SubjectKind.MEMBER else f"everybody in {text}"


def member_text(member: str) -> str:
    """Somebody who did something: a mention, or the name of a client of the API."""
    return mention(SubjectKind.MEMBER, member) or code(member or "unknown")


def names_text(names: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def limit_phrases(
    images_per_day: int | None = None,
    gpu_seconds_per_day: int | None = None,
    jobs_at_once: int | None = None,
    max_pixels: int | None = None,
    max_steps: int | None = None,
    models: Collection[str] = (),
    each_member: bool = False,
) -> list[str]:
    """Each limit as a short phrase; the numbers are those of the API."""
    counted = [
        f"{_count(images_per_day, 'picture')} a day" if images_per_day is not None else "",
        f"{gpu_seconds_per_day / 60:g} GPU minutes a day" if gpu_seconds_per_day is not None else "",
        f"{_count(jobs_at_once, 'job')} at once" if jobs_at_once is not None else "",
    ]
    counted = [phrase + (" each" if each_member else "") for phrase in counted if phrase]
    sizes = [
        f"pictures up to {pixels_text(max_pixels)}" if max_pixels is not None else "",
        f"at most {_count(max_steps, 'step')}" if max_steps is not None else "",
        f"only {models_text(models)}" if models else "",
    ]
    return [*counted, *(phrase for phrase in sizes if phrase)]


def limits_text(limits: Limits) -> str:
    """All limits of an entry, or an empty text."""
    return ", ".join(limit_phrases(**limits.model_dump()))


def models_text(models: Collection[str]) -> str:
    """The first of them, and how many more there are."""
    shown = [code(name) for name in list(models)[:LISTED_MODELS]]
    more = len(models) - len(shown)
    return names_text([*shown, *([f"{more} more"] if more else [])])


def pixels_text(pixels: int) -> str:
    """`512×512` where it is a square, else the number."""
    side = math.isqrt(pixels)
    return f"{side}×{side}" if side * side == pixels else f"{pixels:,} pixels"


def guardrail_text(guardrail: Guardrail) -> str:
    """`see and paint, with tiny`."""
    actions = names_text([action.value for action in guardrail.actions])
    return f"{actions}, with {models_text(guardrail.models)}" if guardrail.models else actions


def role_text(role: str | None, role_arn: str | None) -> str:
    """The role's name, with the account where it is a role of the customer's own."""
    if role is not None:
        return code(role)
    arn = role_arn or ""
    account = arn.split(":")[4] if arn.count(":") >= 5 else ""
    return f"{code(role_name(arn))} of account {code(account)}" if account else code(arn)


def until_text(ends_at: datetime | None) -> str:
    """` until …`, or an empty text."""
    return f" until {moment(ends_at)}" if ends_at is not None else ""


def entry_phrases(entry: Entry) -> list[str]:
    """What an entry does: role, limits, guardrail, end, reason."""
    has_role = entry.role is not None or entry.role_arn is not None
    reason = escape(shorten(entry.reason, REASON_CHARS))
    phrases = [
        f"acts as {role_text(entry.role, entry.role_arn)}" if has_role else "",
        limits_text(entry.limits),
        f"guardrail: {guardrail_text(entry.guardrail)}" if entry.guardrail is not None else "",
        until_text(entry.ends_at).strip(),
        f"“{reason}”" if reason else "",
    ]
    return [phrase for phrase in phrases if phrase]


def entry_line(entry: Entry) -> str:
    """One entry in one line."""
    what = ":no_entry: " if entry.effect == "deny" else ""
    phrases = entry_phrases(entry) or (["kept out"] if entry.effect == "deny" else ["nothing"])
    return f"{what}{subject_text(entry.kind, entry.id)}: {' · '.join(phrases)}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
