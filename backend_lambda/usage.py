"""What limits count: who has used how much of what. What a job holds of a counter stands in the job's record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

NOW = "now"
"""The window of what is going on, as opposed to that of a day."""
_KEPT = timedelta(days=3)
"""A day's counters are kept for so long after it: jobs of its last minute have ended by then."""


class Measure(StrEnum):
    """What a counter adds up."""

    IMAGES = "images"
    """Pictures asked for."""
    GPU_MS = "gpu_ms"
    """Milliseconds of the endpoint's time."""
    JOBS = "jobs"
    """Jobs that have not ended."""


@dataclass(frozen=True)
class Count:
    """`amount` of one measure of a counter: what a job holds of it, or by how much it changes."""

    counter: str
    measure: Measure
    amount: int


@dataclass(frozen=True)
class Reservation:
    """Something to be held if the counter then has `most` at most. The counter may go away at `expires_at`."""

    count: Count
    most: int
    expires_at: datetime | None = None

    def fits(self, used: int) -> bool:
        """Whether it may be held beside what is used."""
        return used + self.count.amount <= self.most


Usage = Mapping[str, Mapping[Measure, int]]
"""What is used, by counter and measure. What was never counted is not in it."""


def used_of(usage: Usage, counter: str, measure: Measure) -> int:
    """How much it is; 0 where nothing was counted."""
    return usage.get(counter, {}).get(measure, 0)


def counter_of(tenant: str, subject: str, window: str) -> str:
    """The name of a counter. `subject` is a subject's key, or `<key>/<member>` where each member is counted alone."""
    # Neither a tenant nor a subject contains the separators, so different ones never share a counter.
    return f"{tenant}|{subject}|{window}"


def day_of(now: datetime) -> str:
    """The window of the UTC day."""
    return now.astimezone(UTC).date().isoformat()


def end_of_day(now: datetime) -> datetime:
    """When a day's counters begin anew: the next midnight in UTC."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def expiry_of_day(now: datetime) -> datetime:
    """From when on nobody needs a day's counters."""
    return end_of_day(now) + _KEPT


def changes_between(before: Iterable[Count], after: Iterable[Count]) -> tuple[Count, ...]:
    """By how much counters change when a job that held `before` holds `after`; what stays the same is left out."""
    amounts: dict[tuple[str, Measure], int] = {}
    for count in before:
        amounts[count.counter, count.measure] = amounts.get((count.counter, count.measure), 0) - count.amount
    for count in after:
        amounts[count.counter, count.measure] = amounts.get((count.counter, count.measure), 0) + count.amount
    return tuple(Count(counter, measure, amount) for (counter, measure), amount in amounts.items() if amount)
