"""What the results function's use cases work with."""

from __future__ import annotations

from dataclasses import dataclass

from bot.board import Board
from bot.ports.backend import Pictures
from bot.ports.clock import Clock
from bot.ports.records import RecordStore
from bot.ports.slack import Slack, Workspaces


@dataclass(frozen=True)
class ResultsPorts:
    """The ports, for all workspaces, and the least time between two statuses of one message, in seconds."""

    store: RecordStore
    workspaces: Workspaces
    pictures: Pictures
    clock: Clock
    progress_seconds: float = 1.5

    def deps_for(self, team: str, enterprise: str) -> ResultsDeps:
        """The ports, for one workspace."""
        slack = self.workspaces.slack_for(team, enterprise)
        return ResultsDeps(self.store, slack, self.pictures, self.clock, self.progress_seconds)


@dataclass(frozen=True)
class ResultsDeps:
    """The ports, for one workspace, and the least time between two statuses of one message, in seconds."""

    store: RecordStore
    slack: Slack
    pictures: Pictures
    clock: Clock
    progress_seconds: float

    @property
    def board(self) -> Board:
        """The messages that show jobs."""
        return Board(self.store, self.slack, self.clock)
