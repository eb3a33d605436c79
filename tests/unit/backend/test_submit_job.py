"""Taking new jobs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from backend_lambda.contract.errors import JobFailureCode
from backend_lambda.contract.events import JobFailed
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import Job
from backend_lambda.ports import CatalogEntry
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.record_progress import record_progress
from backend_lambda.usecases.refusals import EndpointNotFound, FieldRefused, IdempotencyConflict
from backend_lambda.usecases.submit_job import submit_job
from tests.fakes.backend import ADA, BOB, MALLORY, NOON, TINY, FakeBackend, ask


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


def submit(backend: FakeBackend, key: str = "k1", **more: object) -> Job:
    return submit_job(ADA, "tiny", ask(key=key, **more), backend.ports)


def test_a_job_is_recorded_and_handed_over(backend: FakeBackend) -> None:
    job = submit(backend, prompt="a boat", pictures=2, context={"channel": "C1"})
    assert job.state is JobState.QUEUED
    assert (job.owner.tenant, job.owner.member, job.model, job.endpoint) == ("T0EASEL", "U0ADA", "tiny", "tiny")
    assert job.context == {"channel": "C1"}
    record = backend.jobs.records[job.job_id]
    assert backend.starter.started == [("easel-tiny", job.job_id, record.prefix + "request.json")]
    request = backend.request_of(record)
    assert (request.job_id, request.prompt, request.seeds, request.steps) == (job.job_id, "a boat", [7, 8], 20)
    assert (request.output.bucket, request.output.prefix) == ("easel-pictures", record.prefix)
    assert record.failure_location == f"s3://easel-pictures/async/failures/{job.job_id}.out"
    assert record.due_at == NOON + timedelta(hours=1, minutes=15, seconds=120)
    assert backend.bus.events == []


def test_an_endpoint_that_is_not_there_says_which_are(backend: FakeBackend) -> None:
    with pytest.raises(EndpointNotFound) as refused:
        submit_job(ADA, "huge", ask(), backend.ports)
    assert refused.value.available == ["tiny"]
    assert backend.jobs.records == {}


def test_a_refused_field_records_nothing(backend: FakeBackend) -> None:
    with pytest.raises(FieldRefused):
        submit(backend, steps=51)
    assert backend.jobs.records == {}
    assert backend.pictures.objects == {}


def test_the_same_key_finds_the_same_job(backend: FakeBackend) -> None:
    first = submit(backend, context={"message_ts": "1"})
    backend.clock.go_on(timedelta(hours=1))
    second = submit(backend, context={"message_ts": "2"})
    assert second == first
    assert second.context == {"message_ts": "1"}
    assert len(backend.starter.started) == 1


def test_the_same_key_of_another_member_of_the_tenant_is_the_same_job(backend: FakeBackend) -> None:
    assert submit_job(BOB, "tiny", ask(), backend.ports).job_id == submit(backend).job_id


def test_the_same_key_of_another_tenant_is_another_job(backend: FakeBackend) -> None:
    assert submit_job(MALLORY, "tiny", ask(), backend.ports).job_id != submit(backend).job_id


def test_the_same_key_for_another_request_is_a_conflict(backend: FakeBackend) -> None:
    job = submit(backend)
    backend.catalog.add(CatalogEntry("tiny2", "easel-tiny2", TINY))
    for endpoint, more in (("tiny", {"prompt": "other"}), ("tiny", {"seed": 7}), ("tiny2", {})):
        with pytest.raises(IdempotencyConflict):
            submit_job(ADA, endpoint, ask(**more), backend.ports)
    assert list(backend.jobs.records) == [job.job_id]


def test_eight_at_once_make_one_job_that_is_started_once(backend: FakeBackend) -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: submit(backend), range(8)))
    assert len({job.job_id for job in jobs}) == 1
    assert len(backend.jobs.records) == 1
    assert len(backend.starter.started) == 1
    assert backend.jobs.records[jobs[0].job_id].state is JobState.QUEUED


def test_whoever_dies_between_record_and_start_is_made_up_for_by_a_retry(backend: FakeBackend) -> None:
    def die() -> None:
        raise SystemExit

    backend.starter.before = die
    with pytest.raises(SystemExit):
        submit(backend)
    backend.starter.before = lambda: None
    # Right afterwards, the first one may still be at it.
    assert submit(backend).state is JobState.ACCEPTED
    assert len(backend.starter.started) == 1
    backend.clock.go_on(timedelta(seconds=6))
    assert submit(backend).state is JobState.QUEUED
    assert len(backend.starter.started) == 2


def test_of_many_retries_one_starts_it(backend: FakeBackend) -> None:
    backend.starter.busy.add("easel-tiny")
    job = submit(backend)
    backend.starter.busy.clear()
    backend.clock.go_on(timedelta(seconds=6))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: submit(backend), range(8)))
    assert len(backend.starter.started) == 1
    assert backend.jobs.records[job.job_id].attempts == 2


def test_a_throttle_leaves_the_job_to_the_sweeper(backend: FakeBackend) -> None:
    backend.starter.busy.add("easel-tiny")
    job = submit(backend)
    assert job.state is JobState.ACCEPTED
    assert backend.jobs.due(NOON + timedelta(seconds=61), 10) == [job.job_id]


def test_a_refusal_for_good_fails_the_job_and_says_so(backend: FakeBackend) -> None:
    backend.starter.refusing.add("easel-tiny")
    job = submit(backend)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code is JobFailureCode.START_FAILED
    [event] = backend.bus.events
    assert isinstance(event, JobFailed)
    assert event.failure == job.failure
    assert backend.jobs.records[job.job_id].settled
    # A retry answers the same, and starts nothing.
    assert submit(backend) == job


def test_progress_that_overtakes_the_start_keeps_its_state(backend: FakeBackend) -> None:
    def progress() -> None:
        [record] = backend.jobs.records.values()
        assert record_progress(record.job_id, backend.report(record, 0), backend.ports)

    backend.starter.before = progress
    job = submit(backend)
    assert job.state is JobState.RUNNING
    assert backend.jobs.records[job.job_id].failure_location is not None


def test_a_completion_that_overtakes_the_start_is_the_answer(backend: FakeBackend) -> None:
    def complete() -> None:
        [record] = backend.jobs.records.values()
        backend.paint(record)
        finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)

    backend.starter.before = complete
    job = submit(backend)
    assert job.state is JobState.SUCCEEDED
    assert job.pictures[0].url
    assert backend.jobs.records[job.job_id].settled


def test_a_cancellation_that_overtakes_the_start_stands(backend: FakeBackend) -> None:
    def cancel() -> None:
        [record] = backend.jobs.records.values()
        delete_job(ADA, record.job_id, backend.ports)

    backend.starter.before = cancel
    job = submit(backend)
    assert job.state is JobState.CANCELLED
    assert backend.cancelled_marker(backend.jobs.records[job.job_id])
