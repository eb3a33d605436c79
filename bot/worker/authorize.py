"""Under which role somebody acts: the grants decide, and where they leave a doubt, nobody acts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from backend_lambda.contract.access import MAX_SESSION_POLICY_CHARS, Effect, Entry, standing
from backend_lambda.contract.decision import Decision, Who, decide
from backend_lambda.contract.subjects import SubjectKind
from bot.invocation import Invocation
from bot.logs import log
from bot.ports.access import Grants
from bot.ports.backend import Caller, Grant
from bot.ports.clock import Clock
from bot.ports.slack import NotInstalled, SlackPeople, SlackRefused, SlackUnavailable
from bot.worker.usergroups import UserGroups
from commands.sentences import Trouble
from commands.sentences_access import (
    denied,
    external_not_granted,
    groups_unknown,
    guardrail_unusable,
    nothing_granted,
)

ADMIN = "admin"
NAMED_ADMINS = 3


class AccessRefused(Exception):
    """The person may do nothing here; `trouble` says why, and who could change that."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.sentence)
        self.trouble = trouble


@dataclass(frozen=True)
class Authorized:
    """The role to assume and as whom; `admins` are members who can grant more."""

    grant: Grant
    caller: Caller
    admins: Sequence[str]


@dataclass(frozen=True)
class Authority:
    """What decides: the grants, Slack's user groups, the time, and the API that guardrails are about.

    `api_arn`: `arn:aws:execute-api:<region>:<account>:<api>/<stage>`.
    """

    grants: Grants
    usergroups: UserGroups
    clock: Clock
    api_arn: str

    def authorize(self, slack: SlackPeople, invocation: Invocation) -> Authorized:
        """The role for whoever is behind an invocation. Raises `AccessRefused`."""
        now = self.now()
        entries = standing(self.grants.entries(invocation.team, invocation.enterprise), now)
        admins = admins_of(entries)
        who = Who(
            workspace=invocation.team,
            member=invocation.member,
            channel=invocation.channel,
            org=invocation.enterprise,
            usergroups=self.usergroups_of(slack, invocation.team, invocation.member, entries),
            is_external=invocation.is_external,
        )
        decision = decide(entries, who, now)
        if decision.deny is not None:
            deny = decision.deny
            raise AccessRefused(denied(deny.kind, deny.id, deny.ends_at, admins))
        if decision.grant is None:
            trouble = external_not_granted(admins) if invocation.is_external else nothing_granted(admins)
            raise AccessRefused(trouble)
        policy = session_policy(decision, self.api_arn)
        if len(policy) > MAX_SESSION_POLICY_CHARS:
            raise AccessRefused(guardrail_unusable(admins))
        grant = Grant(str(decision.grant.role_arn), decision.grant.external_id or invocation.team, policy)
        caller = Caller(invocation.team, invocation.channel, invocation.member, decision.usergroup)
        return Authorized(grant, caller, admins)

    def usergroups_of(self, slack: SlackPeople, team: str, member: str, entries: Collection[Entry]) -> frozenset[str]:
        """The user groups of a member, as far as one of the entries, which all count, is about one.

        Raises `AccessRefused` where Slack does not say it and it could make a difference to the person: a deny, limits,
        or a role for those to whom none is granted by name. A group's role may be the lesser one.
        """
        about_groups = [entry for entry in entries if entry.kind is SubjectKind.USERGROUP]
        if not about_groups:
            return frozenset()
        try:
            groups = self.usergroups.of(slack, team)
        except NotInstalled:
            raise
        except (SlackRefused, SlackUnavailable) as error:
            log.warning("user groups unknown", extra={"team": team, "code": str(error)})
            has_role = any(
                entry.kind is SubjectKind.MEMBER
                and entry.id == member
                and entry.effect is Effect.GRANT
                and entry.role_arn is not None
                for entry in entries
            )
            if not has_role or any(entry.effect is Effect.DENY or entry.is_limiting for entry in about_groups):
                raise AccessRefused(groups_unknown()) from error
            return frozenset()
        return frozenset(entry.id for entry in about_groups if member in groups.get(entry.id, frozenset()))

    def now(self) -> datetime:
        """In UTC."""
        return datetime.fromtimestamp(self.clock.now(), UTC)


def session_policy(decision: Decision[Entry], api_arn: str) -> str:
    """The channel's guardrail as a session policy, or an empty text."""
    guardrail = decision.guardrail.guardrail if decision.guardrail is not None else None
    return guardrail.session_policy(api_arn) if guardrail is not None else ""


def admins_of(entries: Iterable[Entry]) -> list[str]:
    """At most three members to whom the admin role is granted by name, the first ones first; denied ones left out. The
    entries all count.
    """
    about_members = [entry for entry in entries if entry.kind is SubjectKind.MEMBER]
    denied_ids = {entry.id for entry in about_members if entry.effect is Effect.DENY}
    admins = [entry for entry in about_members if entry.effect is Effect.GRANT and entry.role == ADMIN]
    admins.sort(key=lambda entry: (entry.made_at, entry.id))
    return [entry.id for entry in admins if entry.id not in denied_ids][:NAMED_ADMINS]
