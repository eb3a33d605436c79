"""Register a webhook, or its URL once more: that gives it a new secret and enables it."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from datetime import timedelta

from backend_lambda.callers import Caller
from backend_lambda.contract.webhooks import MAX_WEBHOOKS, RegisteredWebhook, RegisterWebhook
from backend_lambda.usecases.refusals import FieldRefused
from backend_lambda.usecases.webhook_view import view_webhook
from backend_lambda.webhooks.ports import HostUnknown, RegistryPorts, TooManyWebhooks
from backend_lambda.webhooks.record import WebhookRecord, make_webhook_id
from backend_lambda.webhooks.signature import new_secret
from backend_lambda.webhooks.url import ALLOWED, UrlRefused, WebhookUrl, check_addresses, read_url

logger = logging.getLogger(__name__)

OVERLAP = timedelta(hours=24)
"""How long the secret before the new one signs as well, so that receivers can change over without a gap."""
_MOST_TRIES = 5


def register_webhook(caller: Caller, request: RegisterWebhook, ports: RegistryPorts) -> RegisteredWebhook:
    """The webhook of the caller's tenant for this URL, with its new secret. Raises `FieldRefused`.

    A request whose answer was lost can be repeated: a URL has one webhook, and the last answer's secret counts.
    """
    url = _read_url(request.url, ports)
    secret = new_secret()
    record = WebhookRecord(
        tenant=caller.tenant,
        webhook_id=make_webhook_id(caller.tenant, str(url)),
        registration=uuid.uuid4().hex,
        url=str(url),
        events=tuple(request.events),
        secret=ports.vault.seal(secret, caller.tenant),
        registered_at=ports.clock.now(),
        registered_by=caller.member,
    )
    _record(record, ports)
    logger.info("webhook registered", extra={"webhook_id": record.webhook_id, "host": url.host})
    return RegisteredWebhook(**view_webhook(record).model_dump(), secret=secret)


def _record(record: WebhookRecord, ports: RegistryPorts) -> None:
    """Others may register and delete the same URL at the same time: whoever comes last sees what came before."""
    for _ in range(_MOST_TRIES):
        before = ports.store.get(record.tenant, record.webhook_id)
        if before is not None:
            overlapping = replace(record, previous_secret=before.secret, previous_until=record.registered_at + OVERLAP)
            if ports.store.replace(overlapping, before):
                return
            continue
        try:
            if ports.store.create(record, MAX_WEBHOOKS):
                return
        except TooManyWebhooks:
            raise FieldRefused(
                f"There are {MAX_WEBHOOKS} webhooks already, which is the most. Delete one first.",
                field="url",
                given=record.url,
                allowed=f"at most {MAX_WEBHOOKS} webhooks",
            ) from None
    raise RuntimeError("the same webhook is registered again and again at this moment")


def _read_url(text: str, ports: RegistryPorts) -> WebhookUrl:
    """The URL, if deliveries may go there as things are now. They are checked again at every delivery."""
    try:
        url = read_url(text, to_loopback=ports.to_loopback)
        check_addresses(url, ports.resolver.addresses(url.host), to_loopback=ports.to_loopback)
    except UrlRefused as refused:
        raise FieldRefused(str(refused), field="url", given=text, allowed=ALLOWED) from None
    except HostUnknown:
        raise FieldRefused(
            "The host of the URL can't be found.", field="url", given=text, allowed="a host that DNS knows"
        ) from None
    return url
