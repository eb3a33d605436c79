"""`/webhooks`."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path

from backend_lambda.api.context import backend_of, caller_of
from backend_lambda.api.responses import errors
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.contract.webhooks import RegisteredWebhook, RegisterWebhook, Webhook, WebhookList
from backend_lambda.usecases.delete_webhook import delete_webhook
from backend_lambda.usecases.list_webhooks import list_webhooks
from backend_lambda.usecases.register_webhook import register_webhook

router = Router()  # type: ignore[no-untyped-call]


@router.post(
    "/webhooks",
    status_code=201,
    tags=["webhooks"],
    operation_id="registerWebhook",
    summary="Be told what happens to the tenant's jobs",
    description=(
        "From now on, each event is sent to this URL, signed as Standard Webhooks are, until it is taken. The answer "
        "has the secret that verifies the signatures; it is not shown again. Registering the same URL again gives it a "
        "new secret, enables it if it was disabled, and replaces its events; a secret that was replaced "
        "signs on for 24 hours. A tenant has 5 webhooks at most."
    ),
    response_description="The webhook and its secret",
    responses=errors(
        201, RegisteredWebhook, ErrorCode.MALFORMED_REQUEST, ErrorCode.TOO_LARGE, ErrorCode.INVALID_REQUEST
    ),
)
def register(request: RegisterWebhook) -> RegisteredWebhook:
    """`POST /webhooks`."""
    return register_webhook(caller_of(router), request, backend_of(router).webhooks)


@router.get(
    "/webhooks",
    tags=["webhooks"],
    operation_id="listWebhooks",
    summary="List the tenant's webhooks",
    description="Without their secrets, with how deliveries go.",
    response_description="All of them, the oldest registration first",
    responses=errors(200, WebhookList),
)
def list_() -> WebhookList:
    """`GET /webhooks`."""
    return list_webhooks(caller_of(router), backend_of(router).webhooks)


@router.delete(
    "/webhooks/<webhook_id>",
    tags=["webhooks"],
    operation_id="deleteWebhook",
    summary="Remove a webhook",
    description="What waits to be delivered to it is not delivered any more.",
    response_description="The webhook as it was",
    responses=errors(200, Webhook, ErrorCode.WEBHOOK_NOT_FOUND),
)
def delete(
    webhook_id: Annotated[str, Path(description="A webhook's id, as the registration answered it.")],
) -> Webhook:
    """`DELETE /webhooks/{webhook_id}`."""
    return delete_webhook(caller_of(router), webhook_id, backend_of(router).webhooks)
