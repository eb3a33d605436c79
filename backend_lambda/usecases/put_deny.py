"""Deny: whatever is granted, it no longer counts."""

from __future__ import annotations

from datetime import datetime

from backend_lambda.access_ports import AccessChange, AccessPorts, TenantAccess
from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry, PutDeny
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.admins import check_may_change
from backend_lambda.usecases.change_access import change_access, replace_entry
from backend_lambda.usecases.check_entry import check_end, check_room, check_subject, check_workspace
from backend_lambda.usecases.refusals import FieldRefused


def put_deny(
    caller: Caller,
    kind: SubjectKind,
    subject_id: str,
    request: PutDeny,
    ports: AccessPorts,
    once: str | None = None,
) -> Entry:
    """Replace the deny of that subject in the caller's tenant; the same request again changes nothing.

    Whom a user group's deny reaches must be said: nobody may be left without an admin, and only the client knows its
    members. `once` as in `put_grant`. Raises `NotAllowed`, `FieldRefused`, `LastAdmin`, `AccessConflict`.
    """
    check_may_change(caller)
    subject = check_subject(caller, kind, subject_id)
    check_workspace(caller, "id")
    is_group = kind is SubjectKind.USERGROUP
    if is_group != ("reaches" in request.model_fields_set) and (is_group or request.reaches):
        raise FieldRefused(
            "A deny of a user group says which members it reaches; others do not.",
            field="reaches",
            given="nothing" if is_group else f"{len(request.reaches)} members",
            allowed="the ids of the group's members" if is_group else "nothing",
        )
    check_end(request.ends_at, ports.clock.now())
    denied: Entry | None = None

    def plan(current: TenantAccess, now: datetime) -> AccessChange | None:
        nonlocal denied
        new = Entry(
            effect=Effect.DENY,
            kind=kind,
            id=subject.id,
            ends_at=check_end(request.ends_at, now),
            reason=request.reason,
            reaches=sorted(set(request.reaches)),
            made_by=caller.member,
            made_at=now,
        )
        old = current.entry(new.key)
        if old is not None and not old.has_ended(now):
            new = new.model_copy(update={"made_by": old.made_by, "made_at": old.made_at})
        if once in current.done:
            denied = old or new.model_copy(update={"ends_at": now})
            return None
        check_room(current, new)
        denied = new
        return replace_entry(caller, current, new.key, new, now)

    change_access(caller.tenant, plan, ports, once)
    assert denied is not None
    return denied
