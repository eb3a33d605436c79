"""Whatever comes in whatever order, however often, whoever dies in between: a training ends once and is told whole."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import DecideTraining
from backend_lambda.training_ports import JobPostponed, JobStatus
from backend_lambda.usecases.cancel_training import cancel_training
from backend_lambda.usecases.decide_training import decide_training
from backend_lambda.usecases.follow_training import follow_training
from backend_lambda.usecases.refusals import TrainingNotInState
from backend_lambda.usecases.report_training import report_training
from backend_lambda.usecases.sweep_trainings import sweep_trainings
from tests.fakes.backend import ADA
from tests.fakes.backend_trainings import GRACE, FakeTrainings

ENDS = {"TrainingSucceeded", "TrainingFailed", "TrainingCancelled"}
STEPS = st.lists(
    st.sampled_from(
        [
            "approve",
            "news",
            "starting",
            "running",
            "completed",
            "failed",
            "stopped",
            "progress",
            "cancel",
            "sweep",
            "busy",
            "deaf bus",
            "failing registry",
            "later",
        ]
    ),
    max_size=25,
)


def step(fakes: FakeTrainings, training_id: str, what: str) -> None:
    """What SageMaker, the container, people and time may do."""
    has_job, condition = training_id in fakes.jobs.jobs, fakes.jobs.conditions.get(training_id)
    may_change = has_job and condition is not None and not condition.status.is_over
    match what:
        case "approve":
            decide_training(GRACE, training_id, DecideTraining(approve=True), fakes.ports, by_submitter=False)
        case "news":
            follow_training(training_id, fakes.ports)
        case "starting" | "running" | "failed" | "stopped" if may_change:
            fakes.jobs.tell(training_id, JobStatus(what))
        case "completed" if may_change:
            fakes.train_of(training_id)
        case "progress" if may_change:
            report_training(training_id, fakes.report_of(training_id, 10), fakes.ports)
        case "cancel":
            cancel_training(ADA, training_id, fakes.ports, only_open=True)
        case "sweep":
            sweep_trainings(fakes.ports, until=fakes.clock.now() + timedelta(seconds=30))
        case "busy":
            fakes.jobs.busy = 1
        case "deaf bus":
            fakes.bus.failing = 2
        case "failing registry":
            fakes.loras.failing = 1
        case "later":
            fakes.clock.go_on(timedelta(minutes=6))


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_order_ends_the_same(steps: list[str]) -> None:
    fakes = FakeTrainings()
    training_id = fakes.submitted().training_id
    for what in ["approve", *steps]:
        # What a call was refused, or died of, its caller may try again: nothing else is promised.
        with contextlib.suppress(TrainingNotInState, JobPostponed, RuntimeError):
            step(fakes, training_id, what)
        fakes.clock.go_on(timedelta(seconds=1))
    fakes.jobs.busy = fakes.bus.failing = fakes.loras.failing = 0
    for _ in range(12):
        condition = fakes.jobs.conditions.get(training_id)
        if condition is not None and condition.status is JobStatus.STOPPING:
            fakes.jobs.tell(training_id, JobStatus.STOPPED)
        elif condition is not None and not condition.status.is_over:
            fakes.train_of(training_id)
        fakes.clock.go_on(timedelta(minutes=7))
        sweep_trainings(fakes.ports, until=fakes.clock.now() + timedelta(seconds=30))
    record = fakes.store.records[training_id]
    assert record.state in {TrainingState.SUCCEEDED, TrainingState.FAILED, TrainingState.CANCELLED}
    assert (record.due_at, record.outbox, record.is_listing, record.dataset_deleted) == (None, (), False, True)
    assert not {name for name in fakes.files.below(record.prefix) if name.startswith(("dataset", "output", "contact"))}
    assert len(fakes.loras.listed) == (record.state is TrainingState.SUCCEEDED)
    names = fakes.names()
    assert [name for name in names if name in ENDS] == [names[-1]]
    assert names[:2] == ["TrainingRequested", "TrainingDecided"]
    numbers = [event.sequence for event in fakes.events()]
    assert numbers == sorted(set(numbers)) and numbers[-1] == record.sequence
    told: dict[str, set[str]] = {}
    for event in fakes.bus.events:
        told.setdefault(event.event_id, set()).add(event.model_dump_json())
    assert all(len(versions) == 1 for versions in told.values()), "an event's repetition says something else"
