"""Grant a role, a limit or a guardrail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from backend_lambda.access_ports import AccessChange, AccessPorts, TenantAccess
from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry, GrantPart, Limits, PutGrant
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.admins import check_may_change
from backend_lambda.usecases.change_access import change_access, replace_entry
from backend_lambda.usecases.check_entry import (
    check_end,
    check_external_id,
    check_guardrail,
    check_role,
    check_room,
    check_subject,
    check_workspace,
)
from backend_lambda.usecases.refusals import FieldRefused


def put_grant(
    caller: Caller,
    kind: SubjectKind,
    subject_id: str,
    request: PutGrant,
    *,
    stack_roles: Mapping[str, str],
    api_arn: str,
    ports: AccessPorts,
    once: str | None = None,
) -> Entry:
    """Replace what is granted to that subject in the caller's tenant; the same request again changes nothing. What the
    request keeps is taken from the grant that counts at that moment, so that no two changes undo one another.

    `stack_roles` are ARNs by name; `api_arn` is `arn:aws:execute-api:<region>:<account>:<api>/<stage>`. `made_at` and
    `made_by` say who granted the role first: a change of its limits or its end leaves them, since of several user
    groups the one granted first decides. A request that was carried out with this idempotency key `once`
    changes nothing more, and reads what stands now.

    Raises `NotAllowed`, `FieldRefused`, `GuardrailTooLong`, `LastAdmin`, `AccessConflict`.
    """
    check_may_change(caller)
    subject = check_subject(caller, kind, subject_id)
    role = role_arn = None
    if request.role is not None:
        check_workspace(caller, "role")
        role, role_arn = check_role(request.role, stack_roles, kind)
    if request.guardrail is not None:
        check_workspace(caller, "guardrail")
        check_guardrail(request.guardrail, kind, api_arn)
    if kind is SubjectKind.ORG and request.limits != Limits():
        raise FieldRefused(
            "An organisation has no limits; its workspaces have.", field="limits", given="limits", allowed="none"
        )
    if request.external_id is not None and role_arn is None:
        raise FieldRefused(
            "An external id goes with a role.", field="external_id", given=request.external_id, allowed="nothing"
        )
    if request.ends_at is not None and role_arn is None:
        raise FieldRefused(
            "An end goes with a role: limits and guardrails last until they are changed.",
            field="ends_at",
            given=request.ends_at.isoformat(),
            allowed="nothing",
        )
    external_id = check_external_id(request.external_id, caller.tenant)
    check_end(request.ends_at, ports.clock.now())
    granted: Entry | None = None

    def plan(current: TenantAccess, now: datetime) -> AccessChange | None:
        nonlocal granted
        new = Entry(
            effect=Effect.GRANT,
            kind=kind,
            id=subject.id,
            role=role,
            role_arn=role_arn,
            external_id=external_id,
            limits=request.limits,
            guardrail=request.guardrail,
            ends_at=check_end(request.ends_at, now),
            reason=request.reason,
            made_by=caller.member,
            made_at=now,
        )
        stored = current.entry(new.key)
        old = stored.standing_at(now) if stored is not None else None
        if old is not None:
            new = _keeping(old, new, request.keeps)
        if old is not None and old.role_arn == new.role_arn:
            new = new.model_copy(update={"made_by": old.made_by, "made_at": old.made_at})
        if once in current.done:
            granted = stored or _nothing(new)
            return None
        granted = new
        if new.role_arn is None and not new.binds:
            return replace_entry(caller, current, new.key, None, now)
        check_room(current, new)
        return replace_entry(caller, current, new.key, new, now)

    change_access(caller.tenant, plan, ports, once)
    assert granted is not None
    return granted


def _nothing(entry: Entry) -> Entry:
    """A grant to the same subject of nothing at all."""
    return Entry(effect=entry.effect, kind=entry.kind, id=entry.id, made_by=entry.made_by, made_at=entry.made_at)


def _keeping(old: Entry, new: Entry, parts: Collection[GrantPart]) -> Entry:
    """The new grant with these parts of the old one."""
    names = {
        GrantPart.ROLE: ("role", "role_arn", "external_id", "ends_at", "reason"),
        GrantPart.LIMITS: ("limits",),
        GrantPart.GUARDRAIL: ("guardrail",),
    }
    return new.model_copy(update={name: getattr(old, name) for part in parts for name in names[part]})
