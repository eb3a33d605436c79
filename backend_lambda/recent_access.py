"""A tenant's grants and blocked words as they were a moment ago: a burst of requests reads them once."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from backend_lambda.ports import Access, AccessReader

FRESH_SECONDS = 5.0
_MOST_TENANTS = 1_000


class RecentAccess:
    """`AccessReader` that remembers what another one read for up to five seconds."""

    def __init__(self, reader: AccessReader, clock: Callable[[], float] = monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._known: dict[str, tuple[float, Access]] = {}

    def read(self, tenant: str) -> Access:
        # The age counts from before the reading: what changes meanwhile is seen in time.
        now = self._clock()
        known = self._known.get(tenant)
        if known is not None and now - known[0] < FRESH_SECONDS:
            return known[1]
        if len(self._known) >= _MOST_TENANTS:
            self._known.clear()
        found = self._reader.read(tenant)
        self._known[tenant] = (now, found)
        return found
