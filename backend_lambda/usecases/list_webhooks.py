"""Look at a tenant's webhooks."""

from __future__ import annotations

from backend_lambda.callers import Caller
from backend_lambda.contract.webhooks import WebhookList
from backend_lambda.usecases.webhook_view import view_webhook
from backend_lambda.webhooks.ports import RegistryPorts


def list_webhooks(caller: Caller, ports: RegistryPorts) -> WebhookList:
    """All of the caller's tenant, the oldest registration first."""
    return WebhookList(webhooks=[view_webhook(record) for record in ports.store.of_tenant(caller.tenant)])
