"""A webhook as the backend keeps it, and what one of its deliveries carries."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backend_lambda.contract.webhooks import DisabledBecause, EventName, Trouble


@dataclass(frozen=True)
class PreviousSecret:
    """A sealed secret from before, with which deliveries are signed as well until then."""

    secret: bytes
    until: datetime


@dataclass(frozen=True)
class WebhookRecord:
    """One webhook. Times are UTC.

    `registration` is new whenever its URL is registered again: what is learnt about an older one does not count.
    `secret` is sealed. `previous` are those from before, the newest first.
    `failures` counts tries that failed since the last one that went well.
    """

    tenant: str
    webhook_id: str
    registration: str
    url: str
    events: tuple[EventName, ...]
    secret: bytes
    registered_at: datetime
    registered_by: str
    previous: tuple[PreviousSecret, ...] = ()
    failures: int = 0
    delivered_at: datetime | None = None
    trouble: Trouble | None = None
    disabled_at: datetime | None = None
    disabled_because: DisabledBecause | None = None


class Delivery(BaseModel):
    """What has to get to one webhook. `body` is the very text that every try sends."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    tenant: str
    webhook_id: str
    message_id: str
    body: str


def make_webhook_id(tenant: str, url: str) -> str:
    """The same for the same tenant and URL, so that a repeated registration finds what the first one made."""
    # A tenant never contains the separator, so no two pairs make the same text.
    return f"wh-{_digest(f'{tenant}|{url}')}"


def make_message_id(event_id: str, webhook_id: str) -> str:
    """The same for every try of an event at a webhook; without a full stop, which separates what is signed."""
    return f"msg_{_digest(f'{webhook_id}|{event_id}')}"


def _digest(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode("ascii")[:26].lower()
