"""`/limits`."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from backend_lambda.api.context import backend_of, caller_of
from backend_lambda.api.responses import errors
from backend_lambda.contract.access import AllowanceList
from backend_lambda.usecases.read_limits import read_limits

router = Router()  # type: ignore[no-untyped-call]


@router.get(
    "/limits",
    tags=["limits"],
    operation_id="readLimits",
    summary="Read what the caller may still do",
    description=(
        "The limits that hold for the caller, where they are, and how much of each is used now. Which channel and user "
        "group that is stands in the name of the session that signs. No list of `models` allows any."
    ),
    response_description="All limits that hold",
    responses=errors(200, AllowanceList),
)
def read() -> AllowanceList:
    """`GET /limits`."""
    ports = backend_of(router).ports
    return read_limits(caller_of(router), ports.access, ports.jobs, ports.clock)
