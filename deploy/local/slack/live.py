"""The feed of changes: what the page streams and scripts wait on."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

KEPT_CHANGES = 2000


@dataclass(frozen=True)
class Change:
    """Something happened. `audience` is who may know, None meaning everybody."""

    number: int
    kind: str
    body: dict[str, Any]
    audience: frozenset[str] | None = None

    def is_for(self, member_id: str | None) -> bool:
        """Whether this member may see it (None: a script that sees everything)."""
        return member_id is None or self.audience is None or member_id in self.audience


class ChangeFeed:
    """Numbered changes, newest last; waiting readers are woken. One event loop only."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self._number = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self.is_closed = False

    @property
    def number(self) -> int:
        """The number of the newest change."""
        return self._number

    def announce(self, kind: str, body: dict[str, Any], audience: set[str] | list[str] | None = None) -> None:
        """Add a change and wake whoever waits."""
        self._number += 1
        self._changes.append(Change(self._number, kind, body, None if audience is None else frozenset(audience)))
        self._wake()

    def close(self) -> None:
        """Let every waiting reader go: the workspace stops."""
        self.is_closed = True
        self._wake()

    def since(self, number: int) -> list[Change] | None:
        """The changes after that number, or None when some of them are no longer kept."""
        if number >= self._number:
            return []
        if self._changes[0].number > number + 1:
            return None
        return [change for change in self._changes if change.number > number]

    async def wait(self, number: int, timeout_seconds: float) -> None:
        """Return when there is a change after that number, the feed is closed, or the time is over."""
        if self._number > number or self.is_closed:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, timeout_seconds)
        except TimeoutError:
            pass
        finally:
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
