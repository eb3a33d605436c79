"""`/grants` and `/denies`: who may do what, and who may not."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from backend_lambda.api.context import api_arn_of, backend_of, caller_of, stack_roles_of
from backend_lambda.api.query import check_query
from backend_lambda.api.responses import errors
from backend_lambda.contract.access import Effect, Entry, EntryList, PutDeny, PutGrant
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.contract.limits import MAX_IDEMPOTENCY_KEY_CHARS
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.list_entries import list_entries
from backend_lambda.usecases.put_deny import put_deny
from backend_lambda.usecases.put_grant import put_grant
from backend_lambda.usecases.remove_entry import remove_entry

router = Router()  # type: ignore[no-untyped-call]

# An organisation's grants are its operator's: no workspace may speak for the others.
KIND = Path(description="What kind of subject it is about.")
Kind = Literal["workspace", "channel", "usergroup", "member"]
ID = Path(description="The subject's id, as the client knows it; the tenant itself for a workspace.", max_length=200)
Once = Annotated[
    str | None,
    Query(
        alias="idempotency_key",
        description="The same key again changes nothing, whatever others have changed since.",
        max_length=MAX_IDEMPOTENCY_KEY_CHARS,
    ),
]
_KNOWN = ("idempotency_key",)
_CHANGE = (ErrorCode.LAST_ADMIN, ErrorCode.INVALID_REQUEST)
_REMOVED = "What was removed: one entry, or none where there was none"


@router.get(
    "/grants",
    tags=["access"],
    operation_id="listGrants",
    summary="List the tenant's grants and denies",
    description="From the least specific subject to the most specific, also those that ended in the last 30 days.",
    response_description="All of them",
    responses=errors(200, EntryList),
)
def list_() -> EntryList:
    """`GET /grants`."""
    return list_entries(caller_of(router), backend_of(router).access)


@router.put(
    "/grants/<kind>/<id>",
    tags=["access"],
    operation_id="putGrant",
    summary="Grant a role, limits or a guardrail",
    description=(
        "Replaces what is granted to that subject. The same request again changes nothing. A workspace's id is the "
        "caller's own tenant. A change that would leave nobody with the admin role is refused."
    ),
    response_description="The grant as it stands now",
    responses=errors(200, Entry, ErrorCode.MALFORMED_REQUEST, ErrorCode.TOO_LARGE, *_CHANGE),
)
def put(kind: Annotated[Kind, KIND], id: Annotated[str, ID], request: PutGrant, once: Once = None) -> Entry:
    """`PUT /grants/{kind}/{id}`."""
    check_query(router, _KNOWN)
    return put_grant(
        caller_of(router),
        SubjectKind(kind),
        unquote(id),
        request,
        stack_roles=stack_roles_of(router),
        api_arn=api_arn_of(router),
        ports=backend_of(router).access,
        once=once,
    )


@router.delete(
    "/grants/<kind>/<id>",
    tags=["access"],
    operation_id="removeGrant",
    summary="Revoke what is granted to a subject",
    description="Asking again changes nothing. The last admin can't be revoked.",
    response_description=_REMOVED,
    responses=errors(200, EntryList, *_CHANGE),
)
def remove(kind: Annotated[Kind, KIND], id: Annotated[str, ID], once: Once = None) -> EntryList:
    """`DELETE /grants/{kind}/{id}`."""
    return _remove(Effect.GRANT, kind, id, once)


@router.put(
    "/denies/<kind>/<id>",
    tags=["access"],
    operation_id="putDeny",
    summary="Deny a subject everything",
    description=(
        "A deny wins over every grant. Replaces the deny of that subject; the same request again changes nothing. For "
        "a user group, `reaches` has to name its members: a deny that reaches the last admin is refused."
    ),
    response_description="The deny as it stands now",
    responses=errors(200, Entry, ErrorCode.MALFORMED_REQUEST, ErrorCode.TOO_LARGE, *_CHANGE),
)
def deny(kind: Annotated[Kind, KIND], id: Annotated[str, ID], request: PutDeny, once: Once = None) -> Entry:
    """`PUT /denies/{kind}/{id}`."""
    check_query(router, _KNOWN)
    return put_deny(caller_of(router), SubjectKind(kind), unquote(id), request, backend_of(router).access, once)


@router.delete(
    "/denies/<kind>/<id>",
    tags=["access"],
    operation_id="removeDeny",
    summary="Lift a deny",
    description="Asking again changes nothing.",
    response_description=_REMOVED,
    responses=errors(200, EntryList, *_CHANGE),
)
def lift(kind: Annotated[Kind, KIND], id: Annotated[str, ID], once: Once = None) -> EntryList:
    """`DELETE /denies/{kind}/{id}`."""
    return _remove(Effect.DENY, kind, id, once)


def _remove(effect: Effect, kind: str, subject_id: str, once: str | None) -> EntryList:
    check_query(router, _KNOWN)
    ports = backend_of(router).access
    removed = remove_entry(caller_of(router), effect, SubjectKind(kind), unquote(subject_id), ports, once)
    return EntryList(entries=[removed] if removed is not None else [])
