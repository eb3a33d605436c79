"""Register a webhook, or its URL once more: that gives it a new secret and enables it."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from backend_lambda.callers import Caller
from backend_lambda.contract.webhooks import MAX_WEBHOOKS, RegisteredWebhook, RegisterWebhook
from backend_lambda.usecases.refusals import FieldRefused
from backend_lambda.usecases.webhook_view import view_webhook
from backend_lambda.webhooks.ports import HostUnknown, RegistryPorts, TooManyWebhooks
from backend_lambda.webhooks.record import PreviousSecret, WebhookRecord, make_webhook_id
from backend_lambda.webhooks.signature import new_secret
from backend_lambda.webhooks.url import ALLOWED, UrlRefused, WebhookUrl, check_addresses, read_url

logger = logging.getLogger(__name__)

OVERLAP = timedelta(hours=24)
"""How long a secret signs on after the next one has come, so that receivers can change over without a gap."""
MAX_PREVIOUS = 8
"""How many from before are kept: each is a signature more in every delivery."""
_MOST_TRIES = 5


def register_webhook(caller: Caller, request: RegisterWebhook, ports: RegistryPorts) -> RegisteredWebhook:
    """The webhook of the caller's tenant for this URL, with its new secret. Raises `FieldRefused`.

    A request whose answer was lost can be repeated: a URL has one webhook, and the last answer's secret counts. Each
    one from before signs on for `OVERLAP` after it was replaced.
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
            overlapping = replace(record, previous=_previous(before, record.registered_at))
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


def _previous(before: WebhookRecord, now: datetime) -> tuple[PreviousSecret, ...]:
    """The secret so far, and those from before it that still sign."""
    kept = [PreviousSecret(before.secret, now + OVERLAP), *(one for one in before.previous if now < one.until)]
    # When it is too many, the answers between were lost: a receiver has the newest, or still the oldest.
    return tuple(kept if len(kept) <= MAX_PREVIOUS else [*kept[: MAX_PREVIOUS - 1], kept[-1]])


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
