"""What a route has at hand: who asks, and the ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Router

from backend_lambda.callers import Caller, MappedRoles, read_caller
from backend_lambda.ports import EndpointMonitor, SubmittingPorts
from backend_lambda.webhooks.ports import RegistryPorts


@dataclass(frozen=True)
class Backend:
    """Everything that an API call may need. `mapped_roles` are names or ARNs, as the settings give them."""

    ports: SubmittingPorts
    monitor: EndpointMonitor
    mapped_roles: tuple[str, ...]
    webhooks: RegistryPorts


def backend_of(router: Router) -> Backend:
    """The backend that this invocation was given."""
    backend: Backend = router.context["backend"]
    return backend


def caller_of(router: Router) -> Caller:
    """Who signed the request. Raises `UnknownCaller`."""
    return caller_in(router.current_event.raw_event, backend_of(router).mapped_roles)


def caller_in(event: dict[str, Any], mapped_roles: tuple[str, ...]) -> Caller:
    """Who signed the request, by what API Gateway has verified. Raises `UnknownCaller`."""
    context = event.get("requestContext") or {}
    arn = (context.get("identity") or {}).get("userArn") or ""
    # A role's name alone is one of the API's own account.
    return read_caller(arn, MappedRoles.read(mapped_roles, own_account=str(context.get("accountId") or "")))
