"""A webhook as the API answers it."""

from __future__ import annotations

from backend_lambda.contract.webhooks import Webhook
from backend_lambda.webhooks.record import WebhookRecord


def view_webhook(record: WebhookRecord) -> Webhook:
    """Everything but the secrets."""
    return Webhook(
        webhook_id=record.webhook_id,
        url=record.url,
        events=list(record.events),
        registered_at=record.registered_at,
        registered_by=record.registered_by,
        failures=record.failures,
        delivered_at=record.delivered_at,
        trouble=record.trouble,
        disabled_at=record.disabled_at,
        disabled_because=record.disabled_because,
    )
