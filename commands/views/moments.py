"""Moments as Slack shows them: in the reader's own time zone."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: datetime) -> str:
    """Day and time; UTC where a client can't convert."""
    return _date(at, "{date_short_pretty}, {time}", "%Y-%m-%d %H:%M UTC")


def time_of_day(at: datetime) -> str:
    """The time alone, for what is at most a day away."""
    return _date(at, "{time}", "%H:%M UTC")


def _date(at: datetime, shown: str, otherwise: str) -> str:
    return f"<!date^{int(at.timestamp())}^{shown}|{at.astimezone(UTC).strftime(otherwise)}>"
