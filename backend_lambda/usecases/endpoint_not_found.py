"""Say which endpoints there are."""

from __future__ import annotations

from backend_lambda.ports import EndpointCatalog
from backend_lambda.usecases.refusals import EndpointNotFound


def endpoint_not_found(name: str, catalog: EndpointCatalog) -> EndpointNotFound:
    """The refusal of a name that no endpoint has."""
    available = [entry.name for entry in catalog.entries()]
    return EndpointNotFound(
        "There is no endpoint of that name.",
        field="endpoint",
        given=name,
        allowed=", ".join(available) or "none yet",
        available=available,
    )
