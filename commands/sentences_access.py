"""Every sentence that says that someone may not, or not any more: grants, denies, limits, blocked words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from backend_lambda.contract.subjects import SubjectKind
from commands.grammar.subjects import mention
from commands.trouble import Trouble, code
from commands.views.moments import moment, time_of_day

NAMED_ADMINS = 3


def who_can(what: str, admins: Sequence[str]) -> str:
    """The next step: who can do something about it. `admins` are Slack's ids."""
    named = [text for admin in admins if (text := mention(SubjectKind.MEMBER, admin))][:NAMED_ADMINS]
    if not named:
        return f"Whoever runs Easel can {what}."
    names = " or ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    return f"{names} can {what}."


def nothing_granted(admins: Sequence[str]) -> Trouble:
    """No grant counts for the person here."""
    return Trouble(
        "You have no permission to use Easel here: no IAM role is granted to you, this channel or this workspace.",
        who_can("grant you one", admins),
        can_retry=False,
    )


def denied(kind: str, subject_id: str, ends_at: datetime | None, admins: Sequence[str]) -> Trouble:
    """A deny keeps the person out, whatever is granted."""
    whom = {
        SubjectKind.MEMBER: "you",
        SubjectKind.CHANNEL: "everybody in this channel",
        SubjectKind.WORKSPACE: "everybody in this workspace",
        SubjectKind.ORG: "everybody in your organisation",
    }.get(SubjectKind(kind)) or f"everybody in {mention(kind, subject_id) or code(subject_id)}"
    until = f" until {moment(ends_at)}" if ends_at is not None else ""
    can_lift = [] if kind == SubjectKind.ORG else admins
    return Trouble(f"A deny keeps {whom} out of Easel{until}.", who_can("lift it", can_lift), can_retry=False)


def external_not_granted(admins: Sequence[str]) -> Trouble:
    """A member of another company in a shared channel, to whom nothing is granted by name."""
    return Trouble(
        "You belong to another company, and Easel works for you only if it is granted to you by name.",
        who_can("do that", admins),
        can_retry=False,
    )


def not_admitted() -> Trouble:
    """The workspace is not on the operator's list any more."""
    return Trouble(
        "Easel does not work for this workspace any more: whoever runs it has taken it off the list.",
        "They can put it back; nothing else helps.",
        can_retry=False,
    )


def unknown_team() -> Trouble:
    """Slack does not say to which company the person belongs."""
    return Trouble(
        "Slack does not say which company you belong to, so Easel does nothing for you here.",
        "A member of this workspace can do it for you.",
        can_retry=False,
    )


def groups_unknown() -> Trouble:
    """Slack did not say which user groups the person is in, and it matters."""
    return Trouble(
        "What you may do depends on the user groups you are in, and Slack did not say which.", "Try again in a minute."
    )


def guardrail_unusable(admins: Sequence[str]) -> Trouble:
    """A guardrail that was made for shorter names: STS would not take it."""
    return Trouble(
        "This channel's guardrail is longer than AWS takes, so nobody can act here.",
        who_can("shorten it", admins),
        can_retry=False,
    )


def role_lacks(admins: Sequence[str], *, has_guardrail: bool) -> Trouble:
    """IAM refused what the person's role, or the guardrail of the channel, does not allow: it does not say which."""
    if has_guardrail:
        return Trouble(
            "Your IAM role or this channel's guardrail does not allow that.",
            f"Try it in another channel. {who_can('change the guardrail, or grant you another role', admins)}",
            can_retry=False,
        )
    return Trouble("Your IAM role does not allow that.", who_can("grant you one that does", admins), can_retry=False)


def limit_reached(limit: Mapping[str, Any] | None) -> Trouble:
    """`limit` is the API's `Allowance` as JSON."""
    if not limit:
        return Trouble("A limit is reached.", f"{code('/imagine limits')} shows it.", can_retry=False)
    name = str(limit["name"])
    whose = limit_owner(str(limit["kind"]), str(limit["id"]), bool(limit["each_member"]))
    sentence = f"{whose} limit of {limit_name(name)} does not allow that now"
    left = amount_left(name, float(limit["used"]), float(limit["most"]))
    resets_at = limit.get("resets_at")
    if resets_at is None:
        return Trouble(f"{sentence}: {left}.", "Wait until a job ends, or cancel one.", can_retry=False)
    at = datetime.fromisoformat(str(resets_at))
    return Trouble(
        f"{sentence}: {left}, resets at {time_of_day(at)}.", "Ask for less, or wait until then.", can_retry=False
    )


def limit_name(name: str) -> str:
    """What is counted, in words; `name` is the API's."""
    return {
        "images_per_day": "pictures a day",
        "gpu_seconds_per_day": "GPU minutes a day",
        "jobs_at_once": "jobs at once",
    }.get(name, code(name))


def limit_owner(kind: str, subject_id: str, each_member: bool) -> str:
    """Whose limit it is: `Your`, `This channel's` …"""
    if each_member or kind == SubjectKind.MEMBER:
        return "Your"
    return {
        SubjectKind.CHANNEL: "This channel's",
        SubjectKind.WORKSPACE: "This workspace's",
        SubjectKind.ORG: "Your organisation's",
    }.get(SubjectKind(kind)) or f"{mention(kind, subject_id) or code(subject_id)}'s"


def amount_left(name: str, used: float, most: float) -> str:
    """`12 of 50 left`; GPU time in minutes."""
    left = max(0.0, most - used)
    if name == "gpu_seconds_per_day":
        # Rounded down: nobody is told of more than there is.
        return f"{math.floor(left / 6) / 10:g} of {most / 60:g} left"
    return f"{math.floor(left):,} of {most:,.0f} left"


def blocked_words(given: str | None) -> Trouble:
    """The prompt has what the workspace has blocked."""
    word = f": {code(given)}" if given else ""
    return Trouble(
        f"The prompt has words that this workspace has blocked{word}.", "Say it in other words.", can_retry=False
    )


def moderated(reference: str) -> Trouble:
    """A moderation service refused the pictures."""
    return Trouble(
        "This was painted but did not pass your workspace's picture check, so nobody gets to see it.",
        "Ask for something else.",
        reference,
        can_retry=False,
    )


def unchecked(reference: str) -> Trouble:
    """Nobody could look at the pictures."""
    return Trouble(
        "This was painted, but your workspace's picture check did not answer, so nobody gets to see it.",
        "Try again later.",
        reference,
    )


def last_admin() -> Trouble:
    """The change would leave nobody who may grant."""
    return Trouble(
        "Nothing was changed: nobody would be left who may grant anything in this workspace.",
        "Make somebody else an admin first, as a member, without an end: "
        f"{code('/imagine-admin access grant @somebody admin')}.",
        can_retry=False,
    )


def guardrail_too_long(allowed: str | None) -> Trouble:
    """STS would not take it."""
    most = f" It takes {code(allowed)}." if allowed else ""
    return Trouble(
        f"Nothing was changed: AWS takes no guardrail of this length.{most}",
        "Name fewer actions or fewer models.",
        can_retry=False,
    )


def access_conflict() -> Trouble:
    """Somebody else changed it at the same time."""
    return Trouble("Nothing was changed: somebody else was changing this at the same time.", "Try again.")


def not_confirmable() -> Trouble:
    """What a Confirm button carried is not what Easel had put there."""
    return Trouble("This can't be confirmed: it is not what Easel asked about.", "Type the command again.", None, False)


def confirmed_too_late() -> Trouble:
    """The preview is old."""
    return Trouble("Nothing was changed: this was asked too long ago.", "Type the command again.", can_retry=False)


def already_over() -> Trouble:
    """The end that was named has passed before it was confirmed."""
    return Trouble("Nothing was changed: the end that you named has passed.", "Type the command again.", None, False)


def group_members_unknown() -> Trouble:
    """A user group is to be denied, and Slack does not say whom that reaches."""
    return Trouble(
        "Nothing was changed: Slack did not say who is in that user group, so Easel can't tell whom it would keep out.",
        "Try again in a minute.",
    )
