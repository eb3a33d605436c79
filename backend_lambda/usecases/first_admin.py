"""Whoever installs Easel in a workspace is its first admin."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from backend_lambda.access_ports import AccessChange, AccessPorts, TenantAccess
from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry, Limits
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.stack_roles import ADMIN
from backend_lambda.usecases.admins import admins
from backend_lambda.usecases.change_access import change_access, replace_entry
from backend_lambda.usecases.check_entry import check_room, check_subject


def ensure_first_admin(
    caller: Caller,
    *,
    stack_roles: Mapping[str, str],
    ports: AccessPorts,
    reason: str = "installed Easel",
    organisation: str = "",
) -> bool:
    """Make `caller.member` an admin of `caller.tenant`, if it has none and the member is not denied. Returns whether
    that was done now: however often and by however many at once this is asked for, one of them becomes the first.

    Where the tenant's `organisation` has an admin, nobody becomes one: they are the admin of its workspaces too.

    Raises `FieldRefused`, `AccessConflict`.
    """
    subject = check_subject(caller, SubjectKind.MEMBER, caller.member)
    is_granted = False

    def plan(current: TenantAccess, now: datetime) -> AccessChange | None:
        nonlocal is_granted
        is_granted = False
        if admins(current.entries, now) or _has_admin(organisation, ports, now):
            return None
        old = current.entry(f"{Effect.GRANT.value}#{subject.key}")
        new = Entry(
            effect=Effect.GRANT,
            kind=subject.kind,
            id=subject.id,
            role=ADMIN,
            role_arn=stack_roles[ADMIN],
            limits=old.limits if old is not None else Limits(),
            reason=reason,
            made_by=caller.member,
            made_at=now,
        )
        if subject.id not in admins([*(entry for entry in current.entries if entry != old), new], now):
            return None
        check_room(current, new)
        is_granted = True
        return replace_entry(caller, current, new.key, new, now)

    change_access(caller.tenant, plan, ports)
    return is_granted


def _has_admin(tenant: str, ports: AccessPorts, now: datetime) -> bool:
    return bool(tenant) and bool(admins(ports.store.read(tenant).entries, now))
