"""What the worker's use cases work with."""

from __future__ import annotations

from dataclasses import dataclass

from bot.admission import Admission
from bot.board import Board
from bot.invocation import Invocation
from bot.ports.access import AccessApi, PolicySimulator
from bot.ports.backend import BackendApi, Credentials, Pictures, Sessions
from bot.ports.clock import Clock
from bot.ports.records import RecordStore
from bot.ports.registry import RegistryApi
from bot.ports.slack import Slack
from bot.ports.trainings import TrainingApi
from bot.worker.authorize import Authority, Authorized


@dataclass(frozen=True)
class WorkerDeps:
    """The ports, for one workspace, whom the deployment serves, what decides about access, and the endpoint that paints
    when none is named.
    """

    admission: Admission
    store: RecordStore
    slack: Slack
    authority: Authority
    sessions: Sessions
    api: BackendApi
    access: AccessApi
    registry: RegistryApi
    simulator: PolicySimulator
    pictures: Pictures
    clock: Clock
    default_endpoint: str
    trainings: TrainingApi
    pictures_at_once: int = 4
    """So many pictures of a form are checked at the same time."""

    @property
    def board(self) -> Board:
        """The messages that show jobs."""
        return Board(self.store, self.slack, self.clock)

    def authorize(self, invocation: Invocation) -> Authorized:
        """Under which role the caller acts; raises `AccessRefused`."""
        return self.authority.authorize(self.slack, invocation)

    def credentials_for(self, invocation: Invocation) -> Credentials:
        """The caller's role, assumed with the caller's identity; raises `AccessRefused` and `RoleRefused`."""
        return self.assume(self.authorize(invocation))

    def assume(self, authorized: Authorized) -> Credentials:
        """That role, assumed; raises `RoleRefused`."""
        return self.sessions.assume(authorized.grant, authorized.caller)
