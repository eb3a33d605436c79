"""Revoke a grant, or lift a deny."""

from __future__ import annotations

from datetime import datetime

from backend_lambda.access_ports import AccessChange, AccessPorts, TenantAccess
from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.admins import check_may_change
from backend_lambda.usecases.change_access import change_access, replace_entry
from backend_lambda.usecases.check_entry import check_subject


def remove_entry(
    caller: Caller, effect: Effect, kind: SubjectKind, subject_id: str, ports: AccessPorts, once: str | None = None
) -> Entry | None:
    """Remove the caller's tenant's entry and return it; None where there is none, so that it may be asked for again.
    `once` as in `put_grant`.

    Raises `NotAllowed`, `FieldRefused`, `LastAdmin`, `AccessConflict`.
    """
    check_may_change(caller)
    key = f"{effect.value}#{check_subject(caller, kind, subject_id).key}"
    removed: Entry | None = None

    def plan(current: TenantAccess, now: datetime) -> AccessChange | None:
        nonlocal removed
        removed = current.entry(key)
        if once in current.done:
            return None
        return replace_entry(caller, current, key, None, now)

    change_access(caller.tenant, plan, ports, once)
    return removed
