"""Nobody can lock everyone out: who may grant, and that somebody remains who may."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry
from backend_lambda.contract.decision import Who, decide
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.stack_roles import ADMIN
from backend_lambda.usecases.refusals import LastAdmin, NotAllowed


def admins(entries: Iterable[Entry], now: datetime) -> set[str]:
    """The members who may grant for good: granted the stack's admin role by name, without an end, and reached by no
    deny that counts now. A channel's deny does not count here: they can go elsewhere.
    """
    entries = list(entries)
    found = {
        entry.id
        for entry in entries
        if entry.effect is Effect.GRANT
        and entry.kind is SubjectKind.MEMBER
        and entry.role == ADMIN
        and entry.ends_at is None
    }
    for entry in entries:
        if entry.effect is not Effect.DENY or entry.has_ended(now):
            continue
        match entry.kind:
            case SubjectKind.WORKSPACE | SubjectKind.ORG:
                return set()
            case SubjectKind.MEMBER:
                found.discard(entry.id)
            case SubjectKind.USERGROUP:
                found.difference_update(entry.reaches)
    return found


def check_an_admin_remains(before: Iterable[Entry], after: Iterable[Entry], now: datetime) -> None:
    """Raises `LastAdmin` where there was one and would be none."""
    if admins(before, now) and not admins(after, now):
        raise LastAdmin(
            "That would leave nobody who may grant. Make somebody else an admin first.",
            allowed="at least one member with the admin role, without an end and not denied",
        )


def check_the_author_may_undo(caller: Caller, before: Iterable[Entry], after: Iterable[Entry], now: datetime) -> None:
    """Raises `LastAdmin` where no member is an admin by name and the change would keep its own author from the next
    one: by a deny, or by taking from them the admin role that the workspace's own entries give them.

    The operator needs no grant. What an organisation grants, and what a role of the customer's own allows, is not known
    here.
    """
    if caller.is_operator or admins(after, now):
        return
    who = Who(
        workspace=caller.tenant,
        member=caller.member,
        usergroups={caller.usergroup, *(entry.id for entry in after if caller.member in entry.reaches)},
    )
    then = decide(after, who, now)
    was = decide(before, who, now).grant
    is_demoted = was is not None and was.role == ADMIN and (then.grant is None or then.grant.role not in {None, ADMIN})
    if then.deny is not None or is_demoted:
        raise LastAdmin(
            "That would keep you from changing it back, and nobody else is an admin by name. Grant somebody the admin "
            "role first.",
            allowed="at least one member with the admin role, without an end and not denied",
        )


def check_may_change(caller: Caller) -> None:
    """Raises `NotAllowed` for an IAM principal's own tenant: its limits are set for it, by whoever runs Easel."""
    if not caller.is_operator and not caller.is_of_workspace:
        raise NotAllowed(
            "The limits of an IAM principal are set by whoever runs Easel, with `python -m deploy limit`.",
            allowed="a workspace's session",
        )
