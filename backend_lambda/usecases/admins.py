"""Nobody can lock everyone out: who may grant, and that somebody remains who may."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from backend_lambda.contract.access import Effect, Entry
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.stack_roles import ADMIN
from backend_lambda.usecases.refusals import LastAdmin


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
