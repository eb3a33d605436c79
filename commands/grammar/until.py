"""Until when something holds: a span from now on, a day, or a moment. All in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from commands.grammar.options import Value

SPAN = re.compile(r"([0-9]{1,4})(m|min|h|d|w)")
SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True)
class UntilOption:
    """`30m`, `8h`, `2d`, `1w`, `2026-12-01` (to its end), `2026-12-01T08:30Z`."""

    name: str
    summary: str
    hint: str = "8h"
    aliases: tuple[str, ...] = ()
    allowed: str = "a time to come: 30m, 8h, 2d, 1w, a day such as 2026-12-01, or 2026-12-01T08:30Z"
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    def read(self, text: str) -> str | None:
        """The span, day or moment, or None where there is none such."""
        text = text.lower().strip(",;")
        span = SPAN.fullmatch(text)
        if span is not None:
            return f"{int(span[1])}{span[2][0]}" if int(span[1]) > 0 else None
        text = text.upper()
        return text if _fixed(text) is not None else None

    def write(self, value: Value) -> str:
        """As it was read."""
        return str(value)


def end_of(value: Value, now: datetime) -> datetime:
    """When what `UntilOption` has read is over, to the minute. Raises `ValueError` for anything else."""
    span = SPAN.fullmatch(str(value))
    if span is not None:
        whole_minute = (now + timedelta(seconds=59, microseconds=999_999)).replace(second=0, microsecond=0)
        return whole_minute + int(span[1]) * SPANS[span[2][0]]
    return fixed_end(value)


def fixed_end(value: Value) -> datetime:
    """When a day or a moment is over. Raises `ValueError` for a span, whose end depends on when it is asked."""
    fixed = _fixed(str(value))
    if fixed is None:
        raise ValueError("neither a day nor a moment")
    return fixed


def is_fixed(value: Value) -> bool:
    """Whether it says the moment itself, and so means the same whenever it is read."""
    return MOMENT.fullmatch(str(value)) is not None


def moment_text(moment: datetime) -> str:
    """A whole minute in UTC as `UntilOption` reads it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _fixed(text: str) -> datetime | None:
    try:
        if DAY.fullmatch(text):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
        if MOMENT.fullmatch(text):
            return datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return None
