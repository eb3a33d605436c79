"""When a delivery that failed is tried again."""

from __future__ import annotations

from datetime import timedelta

WAITS = (
    timedelta(seconds=5),
    timedelta(seconds=20),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
)
"""After the first try, the second, … About 16 hours in all."""
TRIES = len(WAITS) + 1
"""The queue's `maxReceiveCount`: a message that was received so often goes to the dead-letter queue."""
LONGEST_WAIT = timedelta(hours=11)
"""SQS lets a message that was received stay out of sight for 12 hours at most."""
_JITTER = 0.25


def wait_after(tries: int, *, jitter: float, retry_after: timedelta | None = None) -> timedelta | None:
    """How long to wait after so many failed tries; None after the last one.

    `jitter` (0 to 1) spreads what failed together: up to a quarter is added. What the receiver asked for is the least.
    """
    if tries >= TRIES:
        return None
    wait = WAITS[tries - 1] * (1 + _JITTER * jitter)
    return min(max(wait, retry_after or timedelta()), LONGEST_WAIT)
