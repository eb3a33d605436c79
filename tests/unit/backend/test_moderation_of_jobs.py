"""Moderation before and after painting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend_lambda.contract.errors import ErrorCode, JobFailureCode
from backend_lambda.contract.events import JobFailed, JobSucceeded
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobRecord
from backend_lambda.moderation.word_list import WordListModeration
from backend_lambda.ports import ModerationUnavailable, PublishFailed
from backend_lambda.recent_access import RecentAccess
from backend_lambda.usage import Measure
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.read_job import read_job
from backend_lambda.usecases.refusals import WordsBlocked
from backend_lambda.usecases.submit_job import submit_job
from backend_lambda.usecases.sweep_jobs import FAILED, sweep_jobs
from tests.fakes.backend import ADA, MALLORY, TIMING, FakeBackend, ask
from tests.fakes.limiting import block, limiting, set_entries

COUNTER = "T0EASEL|member#U0ADA|2026-11-23"


@pytest.fixture
def backend() -> FakeBackend:
    backend = FakeBackend()
    set_entries(backend.access, limiting("member", "U0ADA", images_per_day=50, gpu_seconds_per_day=900, jobs_at_once=9))
    return backend


@pytest.fixture
def painted(backend: FakeBackend) -> JobRecord:
    """A job of two pictures that lie in the bucket; nobody has been told."""
    record = backend.jobs.records[submit_job(ADA, "tiny", ask(pictures=2), backend.ports).job_id]
    backend.paint(record)
    return record


def finish(backend: FakeBackend, record: JobRecord, outcome: Outcome = Outcome.COMPLETED) -> JobRecord:
    finished = finish_job(Completion(record.job_id, outcome), backend.ports)
    assert finished is not None
    return finished


# ---------------------------------------------------------------- before


def test_a_prompt_with_a_blocked_word_is_refused_and_nothing_happens(backend: FakeBackend) -> None:
    block(backend.access, "gore", "blood")
    with pytest.raises(WordsBlocked) as refused:
        submit_job(ADA, "tiny", ask("a sea of B L O O D"), backend.ports)
    assert (refused.value.code, refused.value.field) == (ErrorCode.BLOCKED_WORDS, "prompt")
    assert refused.value.given == "blood"
    assert refused.value.message == 'The prompt has "blood" in it, which is blocked here.'
    assert backend.jobs.records == backend.jobs.counters == {}


def test_what_is_to_be_left_out_may_be_named(backend: FakeBackend) -> None:
    block(backend.access, "blood")
    assert submit_job(ADA, "tiny", ask("a fight", negative_prompt="blood"), backend.ports).state is JobState.QUEUED


def test_each_workspace_has_words_of_its_own(backend: FakeBackend) -> None:
    block(backend.access, "blood")
    assert submit_job(MALLORY, "tiny", ask("blood"), backend.ports).state is JobState.QUEUED


def test_a_job_that_was_taken_before_is_answered_whatever_is_blocked_now(backend: FakeBackend) -> None:
    job = submit_job(ADA, "tiny", ask("blood"), backend.ports)
    block(backend.access, "blood")
    assert submit_job(ADA, "tiny", ask("blood"), backend.ports) == job
    with pytest.raises(WordsBlocked):
        submit_job(ADA, "tiny", ask("blood", key="k2"), backend.ports)


def test_a_word_is_not_refused_by_what_was_remembered(backend: FakeBackend) -> None:
    moderation = WordListModeration(backend.access, RecentAccess(backend.access, lambda: 0.0))
    block(backend.access, "blood")
    assert moderation.check_prompt("T0EASEL", "blood").refused_for == "blood"
    block(backend.access, "gore")
    assert moderation.check_prompt("T0EASEL", "blood").refused_for is None


# ---------------------------------------------------------------- after


def test_pictures_that_pass_are_announced(backend: FakeBackend, painted: JobRecord) -> None:
    assert finish(backend, painted).state is JobState.SUCCEEDED
    assert backend.moderation.looked_at == [painted.prefix + "0.png", painted.prefix + "1.png"]
    [event] = backend.bus.events
    assert isinstance(event, JobSucceeded)


def test_refused_pictures_are_deleted_and_neither_linked_nor_announced(
    backend: FakeBackend, painted: JobRecord
) -> None:
    backend.moderation.refused = {"1.png"}
    finished = finish(backend, painted)
    assert (finished.state, finished.settled) == (JobState.FAILED, True)
    assert finished.failure is not None
    assert finished.failure.code is JobFailureCode.MODERATED
    # The service's own words for it stay in the logs.
    assert "1.png" not in finished.failure.message
    job = read_job(ADA, painted.job_id, backend.ports)
    assert (job.pictures, job.grid) == ([], None)
    assert backend.pictures.below(painted.prefix) == set()
    [event] = backend.bus.events
    assert isinstance(event, JobFailed)
    assert event.failure == finished.failure
    # The pictures are given back; the time is gone.
    assert backend.jobs.counters[COUNTER] == {Measure.IMAGES: 0, Measure.GPU_MS: 1_800}


def test_what_is_painted_once_more_is_removed_once_more(backend: FakeBackend, painted: JobRecord) -> None:
    backend.moderation.refused = {"1.png"}
    first = finish(backend, painted)
    backend.moderation.refused = set()
    backend.paint(painted)
    assert finish(backend, painted) == first
    assert backend.pictures.below(painted.prefix) == set()
    assert len(backend.bus.events) == 1


def test_whoever_dies_before_the_pictures_are_gone_leaves_that_to_the_sweeper(
    backend: FakeBackend, painted: JobRecord
) -> None:
    def broken(prefix: str, *, keep: str) -> None:
        raise ConnectionError

    backend.moderation.refused = {"0.png"}
    delete_below = backend.pictures.delete_below
    backend.pictures.delete_below = broken  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        finish(backend, painted)
    assert backend.bus.events == []
    assert read_job(ADA, painted.job_id, backend.ports).pictures == []
    backend.pictures.delete_below = delete_below  # type: ignore[method-assign]
    backend.clock.go_on(timedelta(minutes=1))
    assert sweep_jobs(backend.ports, until=backend.clock.now() + timedelta(minutes=1)) == {"failed": 1}
    assert backend.pictures.below(painted.prefix) == set()
    assert backend.bus.ids() == [f"{painted.job_id}:failed"]


def test_while_the_moderation_cannot_be_asked_nothing_is_announced(backend: FakeBackend, painted: JobRecord) -> None:
    backend.moderation.unavailable = 2
    for _ in range(2):
        with pytest.raises(ModerationUnavailable):
            finish(backend, painted)
        left = backend.jobs.records[painted.job_id]
        assert (left.state, left.settled) == (JobState.QUEUED, False)
        assert read_job(ADA, painted.job_id, backend.ports).pictures == []
    assert backend.bus.events == []
    # The queue delivers it once more.
    assert finish(backend, painted).state is JobState.SUCCEEDED


def test_in_the_end_the_sweeper_fails_what_nobody_could_look_at(backend: FakeBackend, painted: JobRecord) -> None:
    backend.moderation.unavailable = 1_000
    with pytest.raises(ModerationUnavailable):
        finish(backend, painted)
    time_is_up = painted.attempted_at + TIMING.queue + TIMING.invocation + TIMING.grace
    sweeps = 0
    while not backend.jobs.records[painted.job_id].state.is_final:
        backend.clock.go_on(TIMING.postponement)
        sweeps += sum(sweep_jobs(backend.ports, until=backend.clock.now() + timedelta(seconds=1)).values())
        assert backend.clock.now() < time_is_up + timedelta(hours=2)
    assert sweeps > 5 and backend.clock.now() >= time_is_up + TIMING.moderation
    failure = backend.jobs.records[painted.job_id].failure
    assert failure is not None
    assert failure.code is JobFailureCode.UNCHECKED
    assert "refused" not in failure.message
    assert backend.pictures.below(painted.prefix) == set()
    [event] = backend.bus.events
    assert isinstance(event, JobFailed)


def test_pictures_are_kept_until_the_moderation_answers_again(backend: FakeBackend, painted: JobRecord) -> None:
    backend.moderation.unavailable = 4
    with pytest.raises(ModerationUnavailable):
        finish(backend, painted)
    backend.clock.go_on(TIMING.queue + TIMING.invocation + TIMING.grace)
    for _ in range(3):
        assert sweep_jobs(backend.ports, until=backend.clock.now() + timedelta(seconds=1)) == {FAILED: 1}
        backend.clock.go_on(TIMING.postponement)
    assert sweep_jobs(backend.ports, until=backend.clock.now() + timedelta(seconds=1)) == {"succeeded": 1}


def test_the_sweeper_still_asks(backend: FakeBackend, painted: JobRecord) -> None:
    backend.moderation.unavailable = 1
    with pytest.raises(ModerationUnavailable):
        finish(backend, painted)
    backend.clock.go_on(timedelta(hours=3))
    assert sweep_jobs(backend.ports, until=backend.clock.now() + timedelta(minutes=1)) == {"succeeded": 1}


def test_a_cancelled_job_is_not_looked_at(backend: FakeBackend, painted: JobRecord) -> None:
    delete_job(ADA, painted.job_id, backend.ports)
    backend.moderation.unavailable = 1
    assert finish(backend, painted).state is JobState.CANCELLED
    assert backend.moderation.looked_at == []


def test_an_announcement_that_failed_looks_at_nothing_again(backend: FakeBackend, painted: JobRecord) -> None:
    backend.bus.failing = 1
    with pytest.raises(PublishFailed):
        finish(backend, painted)
    backend.moderation.unavailable = 1
    assert finish(backend, painted).settled
    assert len(backend.moderation.looked_at) == 2
