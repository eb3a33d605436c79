"""What the results function's use cases work with."""

from __future__ import annotations

from dataclasses import dataclass

from bot.board import Board
from bot.ports.backend import Pictures
from bot.ports.clock import Clock
from bot.ports.records import RecordStore
from bot.ports.slack import Slack


@dataclass(frozen=True)
class ResultsDeps:
    """The ports, and the least time between two statuses of one message, in seconds."""

    store: RecordStore
    slack: Slack
    pictures: Pictures
    clock: Clock
    progress_seconds: float = 1.5

    @property
    def board(self) -> Board:
        """The messages that show jobs."""
        return Board(self.store, self.slack, self.clock)
