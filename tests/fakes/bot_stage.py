"""The bot's use cases on fakes: what a test of the worker or of the results function needs, in one place."""

from __future__ import annotations

import json
from typing import Any

from bot.admission import Admission
from bot.handlers.sqs_batch import handle_batch
from bot.invocation import Invocation, Kind
from bot.results.deps import ResultsPorts
from bot.results.events import handle_event, read_event
from bot.worker.authorize import Authority
from bot.worker.deps import WorkerDeps
from bot.worker.usergroups import UserGroups
from bot.worker.work import work_on
from tests.fakes.bot import (
    CrashPlan,
    FakeBackendApi,
    FakeClock,
    FakePictures,
    FakeRecordStore,
    FakeSlack,
    Posted,
)
from tests.fakes.bot_access import API_ARN, FakeAccess, FakeIam, FakeSessions
from tests.fakes.bot_installations import FakeWorkspaces
from tests.fakes.bot_registry import FakeRegistry
from tests.fakes.bot_trainings import FakeTrainingApi

MAX_RECEIVES = 5


class NoRetries:
    """Messages come again when the test says so."""

    def come_again(self, queue_arn: str, receipt_handle: str, seconds: int) -> None:
        """Nothing to do."""


class Stage:
    """Fakes, and the two functions on them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeRecordStore()
        self.slack = FakeSlack(self.clock)
        self.workspaces = FakeWorkspaces(self.slack)
        self.iam = FakeIam()
        self.access = FakeAccess(self.clock, self.iam)
        self.access.grant("T1", "workspace", "T1", "artist")
        self.access.grant("T1", "member", "UADMIN", "admin")
        self.usergroups = UserGroups(self.clock)
        self.sessions = FakeSessions()
        self.registry = FakeRegistry(self.clock, self.iam)
        self.api = FakeBackendApi(self.iam, self.access, self.registry)
        self.trainings = FakeTrainingApi(self.iam, self.clock)
        self.pictures = FakePictures()
        # One after the other: tests count calls.
        self.pictures_at_once = 1
        self.admission = Admission(frozenset({"T1", "T2"}))
        self._deliveries = 0

    def worker_deps(self, plan: CrashPlan | None = None, team: str = "T1", enterprise: str = "") -> WorkerDeps:
        """The worker's ports for a workspace, dying as planned."""
        plan = plan or CrashPlan()
        return WorkerDeps(
            admission=self.admission,
            store=plan.wrap(self.store),
            slack=plan.wrap(self.workspaces.slack_for(team, enterprise)),
            authority=Authority(plan.wrap(self.access), self.usergroups, self.clock, API_ARN),
            sessions=plan.wrap(self.sessions),
            api=plan.wrap(self.api),
            access=plan.wrap(self.access),
            registry=plan.wrap(self.registry),
            simulator=plan.wrap(self.iam),
            pictures=plan.wrap(self.pictures),
            clock=self.clock,
            default_endpoint="tiny",
            trainings=plan.wrap(self.trainings),
            pictures_at_once=self.pictures_at_once,
        )

    def results_ports(self, plan: CrashPlan | None = None) -> ResultsPorts:
        """The results function's ports, dying as planned."""
        plan = plan or CrashPlan()
        workspaces = FakeWorkspaces(plan.wrap(self.slack))
        workspaces.gone, workspaces.asked = self.workspaces.gone, self.workspaces.asked
        return ResultsPorts(
            store=plan.wrap(self.store),
            workspaces=workspaces,
            pictures=plan.wrap(self.pictures),
            clock=self.clock,
        )

    def work(
        self, invocation: Invocation, message_id: str | None = None, receives: int = 1, plan: CrashPlan | None = None
    ) -> bool:
        """Deliver an invocation; whether the queue may forget it."""
        deps = self.worker_deps(plan, invocation.team, invocation.enterprise)

        def handle(body: str, sqs_id: str, is_last_try: bool) -> None:
            work_on(deps, Invocation.from_json(body), sqs_id, is_last_try)

        return self._deliver(handle, invocation.to_json(), message_id, receives)

    def announce(
        self, envelope: dict[str, Any], message_id: str | None = None, receives: int = 1, plan: CrashPlan | None = None
    ) -> bool:
        """Deliver an event; whether the queue may forget it."""
        ports = self.results_ports(plan)

        def handle(body: str, sqs_id: str, is_last_try: bool) -> None:
            event = read_event(body)
            assert event is not None
            handle_event(ports, event, sqs_id, is_last_try)

        return self._deliver(handle, json.dumps(envelope), message_id, receives)

    def paint(self, prompt: str = "a red boat", **facts: Any) -> tuple[str, Posted]:
        """A whole painting up to the accepted job: its id, and its message."""
        invocation = painting(prompt, **facts)
        before = len(self.slack.messages)
        assert self.work(invocation)
        return list(self.api.jobs)[-1], self.slack.messages[before]

    def finish(self, job_id: str) -> None:
        """The job's success arrives."""
        assert self.announce(self.api.event(job_id, "JobSucceeded"))

    def press(self, posted: Posted, kind: Kind, action_id: str, member: str = "U1", **facts: Any) -> Invocation:
        """What the acknowledging function queues when someone presses a button."""
        return Invocation(
            kind=kind,
            team="T1",
            channel=posted.channel,
            member=member,
            at=self.clock.now(),
            message_ts=posted.ts,
            thread_ts=posted.thread_ts,
            **{
                "request_key": f"press-{posted.ts}-{action_id}-{member}-{len(self.store.items)}",
                "value": posted.button_value(action_id),
                "actor_team": "T1",
                **facts,
            },
        )

    def _deliver(self, handle: Any, body: str, message_id: str | None, receives: int) -> bool:
        self._deliveries += 1
        record = {
            "messageId": message_id or f"sqs-{self._deliveries}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "eventSourceARN": "arn:aws:sqs:us-east-1:1:queue",
            "receiptHandle": "handle",
        }
        answer = handle_batch({"Records": [record]}, handle, MAX_RECEIVES, NoRetries())
        return not answer["batchItemFailures"]


def painting(prompt: str = "a red boat", key: str = "command-1", **facts: Any) -> Invocation:
    """An accepted command."""
    order = {"prompt": prompt, **facts.pop("order", {})}
    return Invocation(
        **{
            "kind": Kind.PAINT,
            "request_key": key,
            "team": "T1",
            "actor_team": "T1",
            "channel": "C1",
            "member": "U1",
            "at": 1_764_000_000.0,
            "order": order,
            **facts,
        }
    )


def saying(
    words: str, thread_ts: str | None, values: dict[str, Any] | None = None, key: str = "mention-1"
) -> Invocation:
    """An accepted mention."""
    return Invocation(
        Kind.SAY,
        key,
        "T1",
        "C1",
        "U1",
        1_764_000_000.0,
        thread_ts=thread_ts,
        said={"words": words, "values": values or {}},
        actor_team="T1",
    )
