"""`/audit`: what was changed, by whom, where, and what was there before."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from backend_lambda.api.context import backend_of, caller_of
from backend_lambda.api.query import check_query
from backend_lambda.api.responses import errors
from backend_lambda.contract.access import AuditList
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.usecases.list_audit import list_audit

router = Router()  # type: ignore[no-untyped-call]

LIST_PARAMETERS = ("limit", "member", "next")


@router.get(
    "/audit",
    tags=["access"],
    operation_id="listAudit",
    summary="List changes of grants, denies and blocked words, newest first",
    description="A page can be short, or empty, and still have a `next`.",
    response_description="A page of audit records",
    responses=errors(200, AuditList, ErrorCode.INVALID_REQUEST),
)
def list_(
    limit: Annotated[int, Query(ge=1, le=50, description="Records on a page.")] = 20,
    next: Annotated[str | None, Query(max_length=200, description="The `next` of the page before.")] = None,
    member: Annotated[
        str | None, Query(max_length=64, description="Only what this member did, and what was done about them.")
    ] = None,
) -> AuditList:
    """`GET /audit`."""
    check_query(router, LIST_PARAMETERS)
    return list_audit(caller_of(router), backend_of(router).access, limit=limit, position=next, member=member)
