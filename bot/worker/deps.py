"""What the worker's use cases work with."""

from __future__ import annotations

from dataclasses import dataclass

from bot.board import Board
from bot.invocation import Invocation
from bot.ports.backend import BackendApi, Caller, Credentials, Grants, Pictures, Sessions
from bot.ports.clock import Clock
from bot.ports.records import RecordStore
from bot.ports.slack import Slack


class NoGrant(Exception):
    """No role is mapped to the person."""


@dataclass(frozen=True)
class WorkerDeps:
    """The ports, for one workspace, and the endpoint that paints when none is named."""

    store: RecordStore
    slack: Slack
    grants: Grants
    sessions: Sessions
    api: BackendApi
    pictures: Pictures
    clock: Clock
    default_endpoint: str

    @property
    def board(self) -> Board:
        """The messages that show jobs."""
        return Board(self.store, self.slack, self.clock)

    def credentials_for(self, invocation: Invocation) -> Credentials:
        """The caller's role, assumed with the caller's identity; raises `NoGrant` and `RoleRefused`."""
        caller = Caller(invocation.team, invocation.channel, invocation.member)
        grant = self.grants.find(caller.team, caller.channel, caller.member)
        if grant is None:
            raise NoGrant
        return self.sessions.assume(grant, caller)
