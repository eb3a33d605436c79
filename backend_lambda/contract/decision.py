"""Which of the grants and denies decides about somebody somewhere. Plain Python: the bot decides with it whose role to
assume, the backend whether an admin remains, and `why` explains by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from backend_lambda.contract.subjects import SubjectKind


class Rule(Protocol):
    """What a decision needs to know of an entry: `contract.access.Entry` has it, a lighter reader may be enough."""

    @property
    def effect(self) -> str:
        """grant or deny."""

    @property
    def kind(self) -> str:
        """A `SubjectKind`."""

    @property
    def id(self) -> str:
        """The subject's."""

    @property
    def role_arn(self) -> str | None:
        """What it grants; None: it only limits."""

    @property
    def guardrail(self) -> object | None:
        """Of a channel's grant."""

    @property
    def is_limiting(self) -> bool:
        """Whether it has any limit."""

    @property
    def made_at(self) -> datetime:
        """When it was set; in UTC."""

    @property
    def ends_at(self) -> datetime | None:
        """From then on a deny, or the role of a grant, no longer counts; limits and guardrails have no end."""


R = TypeVar("R", bound=Rule)


@dataclass(frozen=True)
class Who:
    """Somebody somewhere. Nothing matches an empty id: no organisation, no channel (a shortcut has none).

    `usergroups` are the ids of those that the member is in. `is_external`: of another company than the workspace's.
    """

    workspace: str
    member: str
    channel: str = ""
    org: str = ""
    usergroups: Collection[str] = ()
    is_external: bool = False

    def is_meant_by(self, rule: Rule) -> bool:
        """Whether the rule is about them, here."""
        match rule.kind:
            case SubjectKind.MEMBER:
                ids: Collection[str] = (self.member,)
            case SubjectKind.USERGROUP:
                ids = self.usergroups
            case SubjectKind.CHANNEL:
                ids = (self.channel,)
            case SubjectKind.WORKSPACE:
                ids = (self.workspace,)
            case SubjectKind.ORG:
                ids = (self.org,)
            case _:
                return False
        return bool(rule.id) and rule.id in ids


@dataclass(frozen=True)
class Decision(Generic[R]):
    """Allowed by `grant`, or refused: by `deny`, or because nothing grants anything where both are None.

    `guardrail` is the channel's entry that has one, whichever grant decides. `usergroup` is the one that
    belongs into the session's name, or empty: the one whose limits hold for the member (of several that of the grant,
    else the one set first: there is room for one), or that of the grant where none has limits.
    """

    grant: R | None
    deny: R | None
    guardrail: R | None
    usergroup: str

    @property
    def is_allowed(self) -> bool:
        """Whether the grant's role may be assumed."""
        return self.grant is not None


def decide(rules: Iterable[R], who: Who, now: datetime) -> Decision[R]:
    """Any deny that counts refuses. Else the most specific grant of a role decides; of several user groups' the one
    set first. For externals nothing grants but an entry for their very id, while denies, guardrails and limits hold for
    them as for all. Denies and roles that have ended do not count.

    `rules`: the tenant's entries and those of its organisation, in any order.
    """
    meant = [rule for rule in rules if who.is_meant_by(rule)]
    lasting = [rule for rule in meant if rule.ends_at is None or now < rule.ends_at]
    denies = [rule for rule in lasting if rule.effect == "deny"]
    grants = [rule for rule in meant if rule.effect == "grant"]
    roles = [
        rule
        for rule in lasting
        if rule.effect == "grant"
        and rule.role_arn is not None
        and (rule.kind == SubjectKind.MEMBER or not who.is_external)
    ]
    deny = min(denies, key=_precedence, default=None)
    grant = min(roles, key=_precedence, default=None) if deny is None else None
    guardrails = [rule for rule in grants if rule.kind == SubjectKind.CHANNEL and rule.guardrail is not None]
    groups = [rule for rule in grants if rule.kind == SubjectKind.USERGROUP and (rule.is_limiting or rule is grant)]
    first_group = min(
        groups, key=lambda rule: (not rule.is_limiting, rule is not grant, _precedence(rule)), default=None
    )
    return Decision(
        grant=grant,
        deny=deny,
        guardrail=min(guardrails, key=_precedence, default=None),
        usergroup=first_group.id if first_group is not None else "",
    )


def _precedence(rule: Rule) -> tuple[int, datetime, str]:
    """The smallest goes first: the most specific, then the first set."""
    return -SubjectKind(rule.kind).specificity, rule.made_at, rule.id
