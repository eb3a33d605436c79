"""Work that is done once, though it may be asked for several times and die at any line.

A record says whether the work is done and who is at it until when. Whoever holds the lease notes each step in the
record as soon as it has taken effect, so that the next one goes on from there.
"""

from __future__ import annotations

from typing import Any

from bot.ports.clock import Clock
from bot.ports.records import RecordStore

LEASE_SECONDS = 90.0
"""Longer than the functions may run."""
KEPT_SECONDS = 30 * 24 * 3600
"""How long requests, deliveries and messages are remembered: buttons work for so long."""


class LeaseHeld(Exception):
    """Another run of the same queue message is at it: come again later."""


class TimeRanShort(LeaseHeld):
    """What was done is noted and the lease given back: the same message goes on from there when it comes again."""


class LeaseLost(Exception):
    """Someone else has taken over: stop at once."""


class Work:
    """A claimed piece of work. `data` is what has been noted so far."""

    def __init__(self, store: RecordStore, clock: Clock, key: str, data: dict[str, Any], version: int) -> None:
        self._store = store
        self._clock = clock
        self._key = key
        self._version = version
        self.data = data

    @property
    def is_first_try(self) -> bool:
        """Whether nobody has been at it before."""
        return bool(self.data["tries"] == 1)

    def note(self, **facts: Any) -> None:
        """Remember facts; raises `LeaseLost`."""
        data = {**self.data, **facts}
        expires_at = int(self._clock.now() + KEPT_SECONDS)
        if not self._store.replace(self._key, data, self._version, expires_at):
            raise LeaseLost(self._key)
        self.data = data
        self._version += 1

    def finish(self, **facts: Any) -> None:
        """It is done: nobody will be at it again."""
        self.note(**facts, is_done=True)

    def release(self) -> None:
        """Give the lease back after a failure, so that the next try need not wait for its end."""
        self.note(lease_until=0.0)


def claim(store: RecordStore, clock: Clock, key: str, owner: str, **facts: Any) -> Work | None:
    """Take a piece of work; None where it is done or surely in other hands. `facts` are noted by the first claim.

    `owner` is the queue message's id. While a message with another id holds the lease, this one may go: that one is
    delivered again until the work is done. Raises `LeaseHeld` while another run of the same message holds it.
    """
    while True:
        now = clock.now()
        lease = {"owner": owner, "lease_until": now + LEASE_SECONDS}
        expires_at = int(now + KEPT_SECONDS)
        record = store.get(key)
        if record is None:
            data = {**facts, **lease, "tries": 1, "claimed_at": now, "is_done": False}
            if store.create(key, data, expires_at):
                return Work(store, clock, key, data, 1)
            continue
        if record.data["is_done"]:
            return None
        if record.data["lease_until"] > now:
            if record.data["owner"] == owner:
                raise LeaseHeld(key)
            return None
        data = {**record.data, **lease, "tries": record.data["tries"] + 1}
        if store.replace(key, data, record.version, expires_at):
            return Work(store, clock, key, data, record.version + 1)
