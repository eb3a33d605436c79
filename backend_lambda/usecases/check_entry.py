"""What a grant or a deny may say, before anybody looks at what is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from backend_lambda.access_ports import OwnRole, TenantAccess
from backend_lambda.callers import Caller
from backend_lambda.contract.access import MAX_ENTRIES, MAX_SESSION_POLICY_CHARS, Entry, Guardrail
from backend_lambda.contract.subjects import Subject, SubjectKind
from backend_lambda.usecases.refusals import FieldRefused, GuardrailTooLong

LONGEST = timedelta(days=366)
"""An end may be so far away at most; what is to last longer has no end."""
MAX_REACHED = 20_000
"""Members that all denies of a tenant may name together: every reader of the grants reads them."""
_WHOLE = {SubjectKind.ORG, SubjectKind.WORKSPACE}


def check_subject(caller: Caller, kind: SubjectKind, subject_id: str) -> Subject:
    """The subject, where this tenant may say something about it. Raises `FieldRefused`."""
    try:
        subject = Subject(kind, subject_id)
    except ValueError:
        raise FieldRefused(
            f"That is not the id of a {kind.value}.",
            field="id",
            given=subject_id,
            allowed="1 to 64 letters, digits and . _ : = @ + , -",
        ) from None
    if kind in _WHOLE and subject.id != caller.tenant:
        raise FieldRefused(
            f"Grants can be changed for your own {kind.value} only.",
            field="id",
            given=subject_id,
            allowed=caller.tenant,
        )
    if not caller.is_of_workspace and kind not in {SubjectKind.WORKSPACE, SubjectKind.MEMBER}:
        raise FieldRefused(
            "An IAM principal of its own has no channels and no user groups.",
            field="kind",
            given=kind.value,
            allowed="workspace, member",
        )
    return subject


def check_workspace(caller: Caller, field: str) -> None:
    """Raises `FieldRefused` where the tenant is an IAM principal: its own policies say what it may do, and nothing that
    would be written here.
    """
    if not caller.is_of_workspace:
        raise FieldRefused(
            "IAM's own policies say what this principal may do; only limits can be set for it.",
            field=field,
            allowed="limits",
        )


def check_role(given: str, stack_roles: Mapping[str, str], kind: SubjectKind) -> tuple[str | None, str]:
    """The name, if it is one of the stack's own roles, and the ARN. Raises `FieldRefused`."""
    for name, arn in stack_roles.items():
        if given in {name, arn}:
            return name, arn
    if kind is SubjectKind.ORG:
        # A session names its workspace, not its organisation: nobody could tell whom such a role speaks for.
        allowed = ", ".join(stack_roles)
    elif OwnRole.of_arn(given) is not None:
        return None, given
    else:
        allowed = f"{', '.join(stack_roles)}, or the ARN of a role below the path /easel/"
    raise FieldRefused(
        "There is no such role.", field="role", given=given, allowed=allowed, available=list(stack_roles)
    )


def check_external_id(given: str | None, tenant: str) -> str | None:
    """Raises `FieldRefused` where it is not the tenant's own: an external id keeps one workspace from using a role that
    trusts another, so no workspace may name it freely.
    """
    if given is None or given == tenant or (given.startswith(tenant) and not given[len(tenant)].isalnum()):
        return given
    raise FieldRefused(
        "An external id begins with the workspace's own id.",
        field="external_id",
        given=given,
        allowed=f"{tenant}, or {tenant} followed by one of . _ : / + = @ , - and more",
    )


def check_guardrail(guardrail: Guardrail, kind: SubjectKind, api_arn: str) -> None:
    """Raises `FieldRefused`, or `GuardrailTooLong` where STS would refuse it when a member comes."""
    if kind is not SubjectKind.CHANNEL:
        raise FieldRefused("A guardrail is for channels.", field="guardrail", given=kind.value, allowed="channel")
    length = len(guardrail.session_policy(api_arn))
    if length > MAX_SESSION_POLICY_CHARS:
        raise GuardrailTooLong(
            "The guardrail is longer than AWS takes. Name fewer actions or fewer models.",
            field="guardrail",
            given=f"{length} characters",
            allowed=f"at most {MAX_SESSION_POLICY_CHARS} characters",
        )


def check_end(ends_at: datetime | None, now: datetime) -> datetime | None:
    """The end in UTC. Raises `FieldRefused` where it has no time zone, has passed, or is too far away."""
    if ends_at is None:
        return None
    if ends_at.tzinfo is None or not now < ends_at <= now + LONGEST:
        raise FieldRefused(
            "The end must be a time with a time zone, later than now.",
            field="ends_at",
            given=ends_at.isoformat(),
            allowed=f"from now to {LONGEST.days} days from now",
        )
    return ends_at.astimezone(UTC)


def check_room(current: TenantAccess, new: Entry) -> None:
    """Raises `FieldRefused` where the tenant has as many entries as it may."""
    others = [entry for entry in current.entries if entry.key != new.key]
    if len(others) >= MAX_ENTRIES:
        raise FieldRefused(
            f"There are {MAX_ENTRIES} grants and denies already. Remove some first.",
            field="id",
            given=new.id,
            allowed=f"at most {MAX_ENTRIES}",
        )
    reached = len(new.reaches) + sum(len(entry.reaches) for entry in others)
    if reached > MAX_REACHED:
        raise FieldRefused(
            "The denies name too many members. Deny fewer user groups.",
            field="reaches",
            given=f"{reached} members",
            allowed=f"at most {MAX_REACHED} members in all denies together",
        )
