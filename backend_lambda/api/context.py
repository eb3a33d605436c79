"""What a route has at hand: who asks, and the ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Router

from backend_lambda.access_ports import AccessPorts
from backend_lambda.callers import Caller, MappedRoles, Standing, no_own_roles, read_caller
from backend_lambda.ports import EndpointMonitor, LoraPorts, SubmittingPorts
from backend_lambda.stack_roles import stack_roles
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.webhooks.ports import RegistryPorts


@dataclass(frozen=True)
class Backend:
    """Everything that an API call may need. `mapped_roles` are names or ARNs, as the settings give them; `standing`
    knows the customers' own roles; `region` is the API's.
    """

    ports: SubmittingPorts
    monitor: EndpointMonitor
    mapped_roles: tuple[str, ...]
    access: AccessPorts
    standing: Standing
    region: str
    webhooks: RegistryPorts
    loras: LoraPorts
    trainings: TrainingPorts


def backend_of(router: Router) -> Backend:
    """The backend that this invocation was given."""
    backend: Backend = router.context["backend"]
    return backend


def caller_of(router: Router) -> Caller:
    """Who signed the request. Raises `UnknownCaller`."""
    backend = backend_of(router)
    return caller_in(router.current_event.raw_event, backend.mapped_roles, backend.standing)


def caller_in(event: dict[str, Any], mapped_roles: tuple[str, ...], standing: Standing = no_own_roles) -> Caller:
    """Who signed the request, by what API Gateway has verified. Raises `UnknownCaller`."""
    context = event.get("requestContext") or {}
    arn = (context.get("identity") or {}).get("userArn") or ""
    # A role's name alone is one of the API's own account.
    return read_caller(arn, MappedRoles.read(mapped_roles, own_account=_account(context)), standing)


def stack_roles_of(router: Router) -> Mapping[str, str]:
    """ARNs of the stack's own roles, by name."""
    event = router.current_event.raw_event
    return stack_roles(backend_of(router).mapped_roles, _account(event["requestContext"]), _partition(event))


def api_arn_of(router: Router) -> str:
    """`arn:aws:execute-api:<region>:<account>:<api>/<stage>` of the API that was called: what IAM's policies name."""
    event = router.current_event.raw_event
    context = event["requestContext"]
    region, account = backend_of(router).region, _account(context)
    return f"arn:{_partition(event)}:execute-api:{region}:{account}:{context['apiId']}/{context['stage']}"


def _account(context: Mapping[str, Any]) -> str:
    return str(context.get("accountId") or "")


def _partition(event: Mapping[str, Any]) -> str:
    """Callers are of the API's own partition: there is no trust between partitions."""
    return str(event["requestContext"]["identity"]["userArn"]).split(":")[1]
