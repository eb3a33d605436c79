"""The webhooks' ports in memory. They behave like the adapters: the same contract tests run over both."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING

from backend_lambda.contract.webhooks import DisabledBecause, Trouble, TroubleCode
from backend_lambda.usecases.deliver_event import Attempt
from backend_lambda.webhooks.addresses import Address
from backend_lambda.webhooks.ports import (
    Answer,
    CannotOpen,
    DeliveryPorts,
    HostUnknown,
    NotDelivered,
    RegistryPorts,
    TooManyWebhooks,
)
from backend_lambda.webhooks.record import Delivery, WebhookRecord
from backend_lambda.webhooks.retries import TRIES

if TYPE_CHECKING:
    from tests.fakes.backend import FakeClock


class FakeWebhookStore:
    """`WebhookStore` in memory; one lock makes every call atomic.

    `meanwhile` runs once, before the next change: what somebody else does between a read and the write that follows.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], WebhookRecord] = {}
        self.meanwhile: Callable[[], object] | None = None
        self._lock = Lock()

    def create(self, record: WebhookRecord, most: int) -> bool:
        self._let_others()
        with self._lock:
            if (record.tenant, record.webhook_id) in self.records:
                return False
            if sum(tenant == record.tenant for tenant, _ in self.records) >= most:
                raise TooManyWebhooks(record.tenant)
            self.records[record.tenant, record.webhook_id] = record
            return True

    def replace(self, record: WebhookRecord, before: WebhookRecord) -> bool:
        self._let_others()
        return self._change(before, lambda _: record)

    def get(self, tenant: str, webhook_id: str) -> WebhookRecord | None:
        with self._lock:
            return self.records.get((tenant, webhook_id))

    def of_tenant(self, tenant: str) -> list[WebhookRecord]:
        with self._lock:
            found = [record for (owner, _), record in self.records.items() if owner == tenant]
        return sorted(found, key=lambda record: (record.registered_at, record.webhook_id))

    def delete(self, tenant: str, webhook_id: str) -> WebhookRecord | None:
        with self._lock:
            return self.records.pop((tenant, webhook_id), None)

    def delivered(self, record: WebhookRecord, at: datetime) -> None:
        self._change(record, lambda now: replace(now, delivered_at=at, failures=0, trouble=None))

    def failed(self, record: WebhookRecord, trouble: Trouble) -> None:
        self._change(record, lambda now: replace(now, failures=now.failures + 1, trouble=trouble))

    def disable(
        self, record: WebhookRecord, because: DisabledBecause, at: datetime, *, unless_delivered_since: datetime | None
    ) -> bool:
        def disabled(now: WebhookRecord) -> WebhookRecord | None:
            well_since = (
                unless_delivered_since is not None
                and now.delivered_at is not None
                and now.delivered_at >= unless_delivered_since
            )
            if now.disabled_at is not None or well_since:
                return None
            return replace(now, disabled_at=at, disabled_because=because)

        return self._change(record, disabled)

    def _change(self, record: WebhookRecord, change: Callable[[WebhookRecord], WebhookRecord | None]) -> bool:
        with self._lock:
            now = self.records.get((record.tenant, record.webhook_id))
            changed = change(now) if now is not None and now.registration == record.registration else None
            if changed is None:
                return False
            self.records[changed.tenant, changed.webhook_id] = changed
            return True

    def _let_others(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()


class FakeVault:
    """`Vault` that hides nothing and opens only for the tenant that sealed."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def seal(self, secret: str, tenant: str) -> bytes:
        return f"{next(self._numbers)}|{tenant}|{secret}".encode()

    def open(self, sealed: bytes, tenant: str) -> str:
        match sealed.decode(errors="replace").split("|"):
            case [_, owner, secret] if owner == tenant:
                return secret
            case _:
                raise CannotOpen("sealed for another tenant, or damaged")


class FakeResolver:
    """`Resolver` that knows the hosts it was told of; `asked` keeps what it was asked."""

    def __init__(self, hosts: Mapping[str, Sequence[str]] | None = None) -> None:
        self.hosts = dict(hosts if hosts is not None else {"hooks.example.com": ["93.184.216.34"]})
        self.asked: list[str] = []

    def addresses(self, host: str) -> list[Address]:
        self.asked.append(host)
        try:
            return [ip_address(host)]
        except ValueError:
            if host not in self.hosts:
                raise HostUnknown(host) from None
            return [ip_address(address) for address in self.hosts[host]]


@dataclass(frozen=True)
class Received:
    """One delivery as its receiver saw it."""

    url: str
    headers: dict[str, str]
    body: bytes


class FakeSender:
    """`Sender` to receivers that answer 204, or what they were told: each answer once, in order."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: dict[str, list[Answer | TroubleCode]] = {}

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        told = self.answers.get(url, [])
        answer = told.pop(0) if told else Answer(204)
        if isinstance(answer, TroubleCode):
            raise NotDelivered(answer)
        self.received.append(Received(url, dict(headers), body))
        return answer


@dataclass
class _Waiting:
    delivery: Delivery
    visible_at: datetime
    receives: int = 0
    first_at: datetime | None = None


class FakeDeliveryQueue:
    """`DeliveryQueue` with SQS's rules: what is received stays out of sight until it is done, and goes to the
    dead-letter queue when it would be received once more than it may.
    """

    def __init__(self, clock: FakeClock, most_receives: int = TRIES) -> None:
        self.dead: list[Delivery] = []
        self._clock = clock
        self._most_receives = most_receives
        self._waiting: dict[str, _Waiting] = {}
        self._numbers = itertools.count()

    def put(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._waiting[f"receipt-{next(self._numbers)}"] = _Waiting(delivery, self._clock.now())

    def postpone(self, receipt: str, wait: timedelta) -> None:
        self._waiting[receipt].visible_at = self._clock.now() + wait

    @property
    def waiting(self) -> list[Delivery]:
        """What is not done yet."""
        return [waiting.delivery for waiting in self._waiting.values()]

    @property
    def next_at(self) -> datetime | None:
        """When something can be received."""
        return min((waiting.visible_at for waiting in self._waiting.values()), default=None)

    def receive(self) -> list[tuple[str, Delivery, Attempt]]:
        """All that is to be seen now."""
        found = []
        now = self._clock.now()
        for receipt, waiting in list(self._waiting.items()):
            if waiting.visible_at > now:
                continue
            if waiting.receives == self._most_receives:
                self.dead.append(self._waiting.pop(receipt).delivery)
                continue
            waiting.receives += 1
            waiting.first_at = waiting.first_at or now
            waiting.visible_at = now + timedelta(minutes=6)
            found.append((receipt, waiting.delivery, Attempt(waiting.receives, waiting.first_at)))
        return found

    def done(self, receipt: str) -> None:
        """Forget a message that was received."""
        del self._waiting[receipt]


@dataclass
class FakeWebhooks:
    """All fakes, joined as `wiring` joins the adapters."""

    clock: FakeClock
    store: FakeWebhookStore = field(default_factory=FakeWebhookStore)
    vault: FakeVault = field(default_factory=FakeVault)
    resolver: FakeResolver = field(default_factory=FakeResolver)
    sender: FakeSender = field(default_factory=FakeSender)
    to_loopback: bool = False

    def __post_init__(self) -> None:
        self.queue = FakeDeliveryQueue(self.clock)

    @property
    def registry(self) -> RegistryPorts:
        return RegistryPorts(self.store, self.vault, self.resolver, self.clock, self.to_loopback)

    @property
    def delivery(self) -> DeliveryPorts:
        return DeliveryPorts(self.store, self.vault, self.sender, self.queue, self.clock, lambda: 0.0)
