"""One event for all becomes one delivery for each webhook that wants it, so that no receiver waits for another."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from backend_lambda.contract.webhooks import EventName
from backend_lambda.webhooks.ports import DeliveryPorts
from backend_lambda.webhooks.record import Delivery, make_message_id

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Announcement:
    """An event as it came from the bus. `detail` is its whole JSON."""

    name: EventName
    tenant: str
    event_id: str
    at: str
    detail: dict[str, Any]


def fan_out_event(event: Announcement, ports: DeliveryPorts) -> None:
    """Queue the event for every webhook of its owner's tenant that wants it. Done twice, receivers get it twice, under
    the same id.
    """
    wanting = [
        record
        for record in ports.store.of_tenant(event.tenant)
        if event.name in record.events and record.disabled_at is None
    ]
    if not wanting:
        return
    body = write_body(event)
    ports.queue.put(
        [
            Delivery(
                tenant=event.tenant,
                webhook_id=record.webhook_id,
                message_id=make_message_id(event.event_id, record.webhook_id),
                body=body,
            )
            for record in wanting
        ]
    )
    logger.info("event fanned out", extra={"event_id": event.event_id, "webhooks": len(wanting)})


def write_body(event: Announcement) -> str:
    """What receivers get: the form that Standard Webhooks recommends, with the event as the bus has it as `data`."""
    # ASCII only, with everything else escaped: the same bytes whatever it passes through.
    return json.dumps({"type": event.name.value, "timestamp": event.at, "data": event.detail}, separators=(",", ":"))
