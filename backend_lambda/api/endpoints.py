"""`/endpoints`."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from backend_lambda.api.context import backend_of, caller_of
from backend_lambda.api.responses import errors
from backend_lambda.contract.endpoints import EndpointList
from backend_lambda.usecases.list_endpoints import list_endpoints

router = Router()  # type: ignore[no-untyped-call]


@router.get(
    "/endpoints",
    tags=["endpoints"],
    operation_id="listEndpoints",
    summary="List the endpoints",
    description="Their models, limits and defaults, and whether they take work. May lag half a minute behind.",
    response_description="All endpoints, by name",
    responses=errors(200, EndpointList),
)
def list_() -> EndpointList:
    """`GET /endpoints`."""
    caller_of(router)
    backend = backend_of(router)
    return list_endpoints(backend.ports.catalog, backend.monitor)
