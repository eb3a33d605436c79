"""One try to deliver one event to one webhook."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend_lambda.contract.webhooks import DisabledBecause, Trouble, TroubleCode
from backend_lambda.version import VERSION
from backend_lambda.webhooks.ports import Answer, DeliveryPorts, NotDelivered
from backend_lambda.webhooks.record import Delivery, WebhookRecord
from backend_lambda.webhooks.retries import wait_after
from backend_lambda.webhooks.signature import signature_headers

logger = logging.getLogger(__name__)

_GONE = 410
_AT_ONCE = timedelta()


@dataclass(frozen=True)
class Attempt:
    """Which try this is, from 1; the first one was made at `first_at`."""

    number: int
    first_at: datetime


def deliver_event(delivery: Delivery, attempt: Attempt, ports: DeliveryPorts) -> timedelta | None:
    """Try once. None when there is nothing left to do; otherwise how long to leave it: after the last try no time at
    all, since then the queue sorts it out. Raises what the ports raise.
    """
    record = ports.store.get(delivery.tenant, delivery.webhook_id)
    if record is None or record.disabled_at is not None:
        logger.info("not delivered: the webhook is deleted or disabled", extra=_facts(delivery, attempt))
        return None
    try:
        answer = _post(delivery, record, ports)
    except NotDelivered as failed:
        return _failed(delivery, record, attempt, failed.code, None, ports)
    if 200 <= answer.status < 300:
        ports.store.delivered(record, ports.clock.now())
        logger.info("delivered", extra=_facts(delivery, attempt))
        return None
    if answer.status == _GONE:
        now = ports.clock.now()
        ports.store.failed(record, Trouble(at=now, code=TroubleCode.STATUS, status=_GONE))
        ports.store.disable(record, DisabledBecause.GONE, now, unless_delivered_since=None)
        logger.warning("webhook disabled: it is gone", extra=_facts(delivery, attempt))
        return None
    return _failed(delivery, record, attempt, TroubleCode.STATUS, answer, ports)


def _post(delivery: Delivery, record: WebhookRecord, ports: DeliveryPorts) -> Answer:
    now = ports.clock.now()
    sealed = [record.secret, *(one.secret for one in record.previous if now < one.until)]
    secrets = [ports.vault.open(secret, record.tenant) for secret in sealed]
    body = delivery.body.encode()
    headers = {
        "content-type": "application/json",
        "user-agent": f"Easel/{VERSION}",
        **signature_headers(secrets, delivery.message_id, int(now.timestamp()), body),
    }
    return ports.sender.post(record.url, headers, body)


def _failed(
    delivery: Delivery,
    record: WebhookRecord,
    attempt: Attempt,
    code: TroubleCode,
    answer: Answer | None,
    ports: DeliveryPorts,
) -> timedelta:
    now = ports.clock.now()
    status, retry_after = (answer.status, answer.retry_after) if answer else (None, None)
    ports.store.failed(record, Trouble(at=now, code=code, status=status))
    wait = wait_after(attempt.number, jitter=ports.jitter(), retry_after=retry_after)
    facts = _facts(delivery, attempt) | {"trouble": code.value, "status": status}
    if wait is not None:
        logger.info("not delivered", extra=facts | {"wait_seconds": round(wait.total_seconds())})
        return wait
    # One event that a receiver never takes is no reason to keep all others from it; nor is one from before its URL was
    # registered again.
    disabled = record.registered_at < attempt.first_at and ports.store.disable(
        record, DisabledBecause.FAILING, now, unless_delivered_since=attempt.first_at
    )
    logger.error("given up after the last try", extra=facts | {"webhook_disabled": disabled})
    return _AT_ONCE


def _facts(delivery: Delivery, attempt: Attempt) -> dict[str, object]:
    return {"webhook_id": delivery.webhook_id, "message_id": delivery.message_id, "attempt": attempt.number}
