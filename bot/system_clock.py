"""Real time."""

from __future__ import annotations

import time


class SystemClock:
    """Implements `bot.ports.clock.Clock`."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
