"""Whatever happens in whatever order: counters say what the records say, never too much, never less than nothing."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from backend_lambda.callers import Caller
from backend_lambda.contract.job_state import JobState
from backend_lambda.ports import ModerationUnavailable, PublishFailed
from backend_lambda.usage import Measure
from backend_lambda.usecases.applicable_limits import applicable_limits
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.record_progress import record_progress
from backend_lambda.usecases.refusals import IdempotencyConflict, LimitReached
from backend_lambda.usecases.settle_job import UNSHOWN
from backend_lambda.usecases.submit_job import submit_job
from backend_lambda.usecases.sweep_jobs import sweep_jobs
from tests.fakes.backend import ADA, BOB, FakeBackend, ask
from tests.fakes.limiting import limiting, set_entries

CALLERS = [replace(ADA, channel="C1"), replace(BOB, channel="C1"), replace(ADA, channel="C2"), ADA]
LIMITS = [
    [],
    [limiting("channel", "C1", images_per_day=6, jobs_at_once=3, gpu_seconds_per_day=4)],
    [
        limiting("workspace", "T0EASEL", images_per_day=5, jobs_at_once=2, gpu_seconds_per_day=2, each_member=True),
        limiting("channel", "C1", images_per_day=8),
    ],
]


class Died(BaseException):
    """The process is gone, in the middle of something."""


class UsageLifecycle(RuleBasedStateMachine):
    """Requests, repetitions, messages, sweeps, deaths, changing limits and time, in any order."""

    jobs = Bundle("jobs")
    invocations = Bundle("invocations")

    @initialize(limits=st.sampled_from(LIMITS[1:]))
    def begin(self, limits: list[object]) -> None:
        self.backend = FakeBackend()
        self.handed_over = 0
        self.most: dict[tuple[str, Measure], int] = {}
        set_entries(self.backend.access, *limits)  # type: ignore[arg-type]

    @rule(
        target=jobs,
        key=st.sampled_from(["k1", "k2", "k3", "k4", "k5", "k6"]),
        pictures=st.integers(1, 4),
        caller=st.sampled_from(CALLERS),
    )
    def submit(self, key: str, pictures: int, caller: Caller) -> object:
        now = self.backend.clock.now()
        for limit in applicable_limits(self.backend.access.read(caller.tenant).entries, caller, now).counted:
            counter = limit.counter(caller, now), limit.name.measure
            self.most[counter] = max(limit.most * limit.name.unit, self.most.get(counter, 0))
        try:
            job = submit_job(caller, "tiny", ask(key=key, pictures=pictures), self.backend.ports)
        except (IdempotencyConflict, LimitReached, PublishFailed, Died):
            return multiple()
        return job.job_id

    @rule(limits=st.sampled_from(LIMITS))
    def somebody_changes_the_limits(self, limits: list[object]) -> None:
        set_entries(self.backend.access, *limits)  # type: ignore[arg-type]

    @rule(target=invocations)
    def sagemaker_takes_the_next(self) -> object:
        started = self.backend.starter.started
        if self.handed_over == len(started):
            return multiple()
        self.handed_over += 1
        return started[self.handed_over - 1][1]

    @rule(job_id=invocations, step=st.integers(0, 20))
    def the_endpoint_reports(self, job_id: str, step: int) -> None:
        key = self.backend.report(self.backend.jobs.records[job_id], step)
        with suppress(PublishFailed):
            record_progress(job_id, key, self.backend.ports)

    @rule(job_id=consumes(invocations))
    def the_endpoint_paints(self, job_id: str) -> None:
        self.backend.paint(self.backend.jobs.records[job_id])

    @rule(job_id=jobs, outcome=st.sampled_from(Outcome))
    def a_completion_comes(self, job_id: str, outcome: Outcome) -> None:
        with suppress(PublishFailed, ModerationUnavailable):
            finish_job(Completion(job_id, outcome), self.backend.ports)

    @rule(job_id=jobs, caller=st.sampled_from(CALLERS), only_open=st.booleans())
    def someone_deletes(self, job_id: str, caller: object, only_open: bool) -> None:
        with suppress(PublishFailed):
            delete_job(caller, job_id, self.backend.ports, only_open=only_open)  # type: ignore[arg-type]

    @rule(job_id=jobs, outcome=st.sampled_from(Outcome))
    def a_completion_comes_between_somebodys_read_and_write(self, job_id: str, outcome: Outcome) -> None:
        def meanwhile() -> None:
            with suppress(PublishFailed, ModerationUnavailable):
                finish_job(Completion(job_id, outcome), self.backend.ports)

        self.backend.jobs.meanwhile = meanwhile

    @rule(minutes=st.sampled_from([0, 1, 20, 100, 800]))
    def the_sweeper_comes(self, minutes: int) -> None:
        self.backend.clock.go_on(timedelta(minutes=minutes))
        with suppress(Died):
            sweep_jobs(self.backend.ports, until=self.backend.clock.now() + timedelta(minutes=1))

    @rule(events=st.integers(1, 3))
    def the_bus_refuses(self, events: int) -> None:
        self.backend.bus.failing = events

    @rule(fault=st.sampled_from(["none", "busy", "refusing", "dying"]))
    def starting_goes_wrong(self, fault: str) -> None:
        def die() -> None:
            raise Died

        starter = self.backend.starter
        starter.busy = {"easel-tiny"} if fault == "busy" else set()
        starter.refusing = {"easel-tiny"} if fault == "refusing" else set()
        starter.before = die if fault == "dying" else lambda: None

    @rule(unavailable=st.integers(0, 2), refuses=st.booleans())
    def the_moderation_changes_its_mind(self, unavailable: int, refuses: bool) -> None:
        self.backend.moderation.unavailable = unavailable
        self.backend.moderation.refused = {"2.png"} if refuses else set()

    @invariant()
    def counters_say_what_the_records_say(self) -> None:
        said: Counter[tuple[str, Measure]] = Counter()
        for record in self.backend.jobs.records.values():
            for count in record.holds:
                assert count.amount > 0
                said[count.counter, count.measure] += count.amount
        counted = {
            (counter, measure): amount
            for counter, held in self.backend.jobs.counters.items()
            for measure, amount in held.items()
            if amount
        }
        assert counted == dict(said)

    @invariant()
    def never_less_than_nothing(self) -> None:
        for held in self.backend.jobs.counters.values():
            assert all(amount >= 0 for amount in held.values())

    @invariant()
    def never_more_than_the_counters_own_limit_ever_was(self) -> None:
        """Of GPU time a job may take more than was reserved: what open jobs reserve is bounded."""
        reserved: Counter[str] = Counter()
        for record in self.backend.jobs.records.values():
            for count in record.holds:
                if not record.state.is_final and count.measure is Measure.GPU_MS:
                    reserved[count.counter] += count.amount
        for counter, held in self.backend.jobs.counters.items():
            for measure in (Measure.IMAGES, Measure.JOBS):
                assert held.get(measure, 0) <= self.most.get((counter, measure), 0)
            assert reserved[counter] <= self.most.get((counter, Measure.GPU_MS), 0)

    @invariant()
    def what_has_ended_is_no_longer_under_way(self) -> None:
        for record in self.backend.jobs.records.values():
            measures = {count.measure for count in record.holds}
            if record.state.is_final:
                assert Measure.JOBS not in measures
            if record.state in {JobState.FAILED, JobState.CANCELLED}:
                assert Measure.IMAGES not in measures

    @invariant()
    def nobody_sees_what_the_moderation_refused(self) -> None:
        for record in self.backend.jobs.records.values():
            if record.failure is not None and record.failure.code in UNSHOWN:
                assert record.pictures == ()
                assert record.grid is None
            if record.state is JobState.SUCCEEDED:
                # Every picture of it was looked at.
                assert {picture.key for picture in record.pictures} <= set(self.backend.moderation.looked_at)

    def teardown(self) -> None:
        """In the end, sweeps alone bring every job to its end, and nothing is under way any more."""
        self.starting_goes_wrong("none")
        self.backend.bus.failing = 0
        for _ in range(12):
            self.backend.clock.go_on(timedelta(hours=2))
            sweep_jobs(self.backend.ports, until=self.backend.clock.now() + timedelta(minutes=1))
        assert all(record.settled for record in self.backend.jobs.records.values())
        self.counters_say_what_the_records_say()
        self.what_has_ended_is_no_longer_under_way()


TestUsageLifecycle = UsageLifecycle.TestCase
TestUsageLifecycle.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
