"""Whatever happens in whatever order: moves are legal, every job ends, and its end is announced as one fact."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import Job
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import PublishFailed
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.record_progress import record_progress
from backend_lambda.usecases.refusals import IdempotencyConflict
from backend_lambda.usecases.submit_job import submit_job
from backend_lambda.usecases.sweep_jobs import sweep_jobs
from tests.fakes.backend import ADA, BOB, FakeBackend, FakeJobStore, ask

ENDS = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


class WatchedJobStore(FakeJobStore):
    """Notes every move that a job makes."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[tuple[JobState, JobState]] = []

    def update(self, job_id: str, changes: object, **more: object) -> JobRecord:
        before = self.records.get(job_id)
        after = super().update(job_id, changes, **more)  # type: ignore[arg-type]
        if before is not None and before.state is not after.state:
            self.moves.append((before.state, after.state))
        return after


class JobLifecycle(RuleBasedStateMachine):
    """Requests, messages, sweeps, faults and time, in any order."""

    jobs = Bundle("jobs")
    invocations = Bundle("invocations")

    @initialize()
    def begin(self) -> None:
        self.store = WatchedJobStore()
        self.backend = FakeBackend(jobs=self.store)
        self.handed_over = 0

    @rule(
        target=jobs,
        key=st.sampled_from(["k1", "k2", "k3"]),
        prompt=st.sampled_from(["a", "b"]),
        caller=st.sampled_from([ADA, BOB]),
    )
    def submit(self, key: str, prompt: str, caller: object) -> object:
        try:
            job: Job = submit_job(caller, "tiny", ask(prompt, key), self.backend.ports)  # type: ignore[arg-type]
        except (IdempotencyConflict, PublishFailed):
            return multiple()
        return job.job_id

    @rule(target=invocations)
    def sagemaker_takes_the_next(self) -> object:
        started = self.backend.starter.started
        if self.handed_over == len(started):
            return multiple()
        self.handed_over += 1
        return started[self.handed_over - 1][1]

    @rule(job_id=invocations, step=st.integers(0, 20))
    def the_endpoint_reports(self, job_id: str, step: int) -> None:
        record = self.store.records[job_id]
        key = self.backend.report(record, step)
        with suppress(PublishFailed):
            record_progress(job_id, key, self.backend.ports)

    @rule(job_id=consumes(invocations))
    def the_endpoint_paints(self, job_id: str) -> None:
        self.backend.paint(self.store.records[job_id])

    # A message may come for any job, as often as it likes.
    @rule(job_id=jobs, outcome=st.sampled_from(Outcome))
    def a_completion_comes(self, job_id: str, outcome: Outcome) -> None:
        with suppress(PublishFailed):
            finish_job(Completion(job_id, outcome), self.backend.ports)

    @rule(job_id=jobs, caller=st.sampled_from([ADA, BOB]), only_open=st.booleans())
    def someone_deletes(self, job_id: str, caller: object, only_open: bool) -> None:
        with suppress(PublishFailed):
            delete_job(caller, job_id, self.backend.ports, only_open=only_open)  # type: ignore[arg-type]

    @rule(minutes=st.sampled_from([0, 1, 20, 100]))
    def the_sweeper_comes(self, minutes: int) -> None:
        self.backend.clock.go_on(timedelta(minutes=minutes))
        sweep_jobs(self.backend.ports, until=self.backend.clock.now() + timedelta(minutes=1))

    @rule(events=st.integers(1, 3))
    def the_bus_refuses(self, events: int) -> None:
        self.backend.bus.failing = events

    @rule(fault=st.sampled_from(["none", "busy", "refusing"]))
    def sagemaker_changes_its_mind(self, fault: str) -> None:
        starter = self.backend.starter
        starter.busy = {"easel-tiny"} if fault == "busy" else set()
        starter.refusing = {"easel-tiny"} if fault == "refusing" else set()

    @invariant()
    def moves_are_legal(self) -> None:
        assert all(before.may_become(after) for before, after in self.store.moves)

    @invariant()
    def at_most_one_end_is_announced(self) -> None:
        announced = self.backend.bus.final_ids()
        assert len(announced) == len({event_id.rpartition(":")[0] for event_id in announced})
        for event_id in announced:
            job_id, _, end = event_id.rpartition(":")
            assert self.store.records[job_id].state in {JobState(end), JobState.DELETED}

    @invariant()
    def settled_means_final(self) -> None:
        assert all(record.state.is_final for record in self.store.records.values() if record.settled)

    @invariant()
    def nobody_sees_pictures_of_a_deleted_job(self) -> None:
        for record in self.store.records.values():
            if record.state is JobState.DELETED and record.settled:
                left = self.backend.pictures.below(record.prefix)
                late = {"0.png", "manifest.json", "progress.json"}
                assert left <= {"cancelled"} | late, left

    def teardown(self) -> None:
        """In the end, sweeps alone bring every job to its end, announced exactly as what it is."""
        self.backend.bus.failing = 0
        for _ in range(12):
            self.backend.clock.go_on(timedelta(hours=2))
            sweep_jobs(self.backend.ports, until=self.backend.clock.now() + timedelta(minutes=1))
        for record in self.store.records.values():
            assert record.settled, record
            assert record.state.is_final
            ends = {event_id for event_id in self.backend.bus.final_ids() if event_id.startswith(record.job_id)}
            assert len(ends) == 1
            if record.state in ENDS:
                assert ends == {f"{record.job_id}:{record.state.value}"}
        self.moves_are_legal()


TestJobLifecycle = JobLifecycle.TestCase
TestJobLifecycle.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
