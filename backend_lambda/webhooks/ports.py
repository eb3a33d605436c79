"""What webhooks need from the outside. The adapters are in `backend_lambda.aws` and `backend_lambda.outbound`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from backend_lambda.contract.webhooks import DisabledBecause, Trouble, TroubleCode
from backend_lambda.ports import Clock
from backend_lambda.webhooks.addresses import Address
from backend_lambda.webhooks.record import Delivery, WebhookRecord


class TooManyWebhooks(Exception):
    """The tenant has as many as it may have."""


class CannotOpen(Exception):
    """What is sealed was sealed for something else, or is damaged."""


class HostUnknown(Exception):
    """A host's name has no address, or could not be looked up."""


class NotDelivered(Exception):
    """A try ended without an answer; `code` says why."""

    def __init__(self, code: TroubleCode) -> None:
        super().__init__(code.value)
        self.code = code


class WebhookStore(Protocol):
    """Every tenant's webhooks. Reads see every write that came before."""

    def create(self, record: WebhookRecord, most: int) -> bool:
        """Record a new one. False, and nothing changes, where one with its id exists. Raises `TooManyWebhooks` where
        the tenant has `most` already, however many are created at once.
        """

    def replace(self, record: WebhookRecord, before: WebhookRecord) -> bool:
        """Put `record` in the place of `before`. False, and nothing changes, where that registration is no more."""

    def get(self, tenant: str, webhook_id: str) -> WebhookRecord | None:
        """The webhook, or None."""

    def of_tenant(self, tenant: str) -> list[WebhookRecord]:
        """All of them, the oldest registration first."""

    def delete(self, tenant: str, webhook_id: str) -> WebhookRecord | None:
        """Remove it. What was removed, or None where there was nothing."""

    def delivered(self, record: WebhookRecord, at: datetime) -> None:
        """A try went well. Without effect where `record`'s registration is no more."""

    def failed(self, record: WebhookRecord, trouble: Trouble) -> None:
        """A try failed. Without effect where `record`'s registration is no more."""

    def disable(
        self, record: WebhookRecord, because: DisabledBecause, at: datetime, *, unless_delivered_since: datetime | None
    ) -> bool:
        """Tell it nothing any more. False, and nothing changes, where `record`'s registration is no more, where it is
        disabled already, or where a try went well since then.
        """


class Vault(Protocol):
    """Seals a tenant's secrets, so that whoever reads the table has nothing."""

    def seal(self, secret: str, tenant: str) -> bytes:
        """Different bytes every time."""

    def open(self, sealed: bytes, tenant: str) -> str:
        """What was sealed for that tenant. Raises `CannotOpen`."""


class Resolver(Protocol):
    """Names of hosts."""

    def addresses(self, host: str) -> list[Address]:
        """All addresses of a host, one at least; an address is its own. Raises `HostUnknown`."""


@dataclass(frozen=True)
class Answer:
    """What a receiver answered. `retry_after` is how long it wants to be left alone, where it said so."""

    status: int
    retry_after: timedelta | None = None


class Sender(Protocol):
    """Delivers to other people's hosts."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send it once, if all of the host's addresses are admitted now; no redirect is followed. Raises
        `NotDelivered`.
        """


class DeliveryQueue(Protocol):
    """Deliveries that are waiting for a try."""

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Hand them over. Where it raises, some may have been taken."""

    def postpone(self, receipt: str, wait: timedelta) -> None:
        """The message that was received with this receipt comes again after that, and not before."""


@dataclass(frozen=True)
class RegistryPorts:
    """What it takes to look after a tenant's webhooks. `to_loopback`: for development on one machine."""

    store: WebhookStore
    vault: Vault
    resolver: Resolver
    clock: Clock
    to_loopback: bool = False


@dataclass(frozen=True)
class DeliveryPorts:
    """What it takes to deliver. `jitter` gives numbers from 0 to 1."""

    store: WebhookStore
    vault: Vault
    sender: Sender
    queue: DeliveryQueue
    clock: Clock
    jitter: Callable[[], float]
