"""Remove a webhook."""

from __future__ import annotations

import logging

from backend_lambda.callers import Caller
from backend_lambda.contract.webhooks import Webhook
from backend_lambda.usecases.refusals import WebhookNotFound
from backend_lambda.usecases.webhook_view import view_webhook
from backend_lambda.webhooks.ports import RegistryPorts

logger = logging.getLogger(__name__)


def delete_webhook(caller: Caller, webhook_id: str, ports: RegistryPorts) -> Webhook:
    """The webhook as it was. What waits to be delivered to it is not delivered. Raises `WebhookNotFound`, also where it
    is another tenant's.
    """
    record = ports.store.delete(caller.tenant, webhook_id)
    if record is None:
        raise WebhookNotFound("There is no such webhook.", field="webhook_id", given=webhook_id)
    logger.info("webhook deleted", extra={"webhook_id": webhook_id})
    return view_webhook(record)
