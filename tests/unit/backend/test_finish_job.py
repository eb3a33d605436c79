"""Ends of jobs: in any order, twice, at once, and with every kind of failure."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from backend_lambda.contract.errors import JobFailureCode
from backend_lambda.contract.events import JobCancelled, JobFailed, JobSucceeded
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import PublishFailed
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.submit_job import submit_job
from endpoint.contract import MANIFEST_NAME, EndpointError, EndpointErrorCode
from tests.fakes.backend import ADA, NOON, FakeBackend, ask, manifest_of


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def record(backend: FakeBackend) -> JobRecord:
    job = submit_job(ADA, "tiny", ask(pictures=2, context={"channel": "C1"}), backend.ports)
    return backend.jobs.records[job.job_id]


def finish(backend: FakeBackend, record: JobRecord, outcome: Outcome, **more: str) -> JobRecord:
    finished = finish_job(Completion(record.job_id, outcome, **more), backend.ports)
    assert finished is not None
    assert finished == backend.jobs.records[record.job_id]
    return finished


def test_a_completed_job_succeeds_with_its_pictures(backend: FakeBackend, record: JobRecord) -> None:
    backend.paint(record)
    backend.clock.go_on(timedelta(seconds=3))
    finished = finish(backend, record, Outcome.COMPLETED)
    assert finished.state is JobState.SUCCEEDED
    assert finished.settled
    assert finished.finished_at == NOON + timedelta(seconds=3)
    assert [(picture.key, picture.seed) for picture in finished.pictures] == [
        (record.prefix + "0.png", 7),
        (record.prefix + "1.png", 8),
    ]
    [event] = backend.bus.events
    assert isinstance(event, JobSucceeded)
    assert event.event_id == f"{record.job_id}:succeeded"
    assert event.pictures == list(finished.pictures)
    assert event.pictures[0].url is None
    assert event.grid == finished.grid
    assert event.context == {"channel": "C1"}
    assert event.model_seconds == 1.8


def test_told_twice_it_is_announced_once(backend: FakeBackend, record: JobRecord) -> None:
    backend.paint(record)
    first = finish(backend, record, Outcome.COMPLETED)
    backend.clock.go_on(timedelta(minutes=5))
    assert finish(backend, record, Outcome.COMPLETED) == first
    assert finish(backend, record, Outcome.FAILED, reason="late") == first
    assert len(backend.bus.events) == 1


def test_what_was_not_announced_is_announced_by_the_next_delivery(backend: FakeBackend, record: JobRecord) -> None:
    backend.paint(record)
    backend.bus.failing = 1
    with pytest.raises(PublishFailed):
        finish(backend, record, Outcome.COMPLETED)
    after = backend.jobs.records[record.job_id]
    assert (after.state, after.settled) == (JobState.SUCCEEDED, False)
    backend.clock.go_on(timedelta(minutes=1))
    # Even a message that says something else: the record decides.
    assert finish(backend, record, Outcome.FAILED, reason="x").settled
    [event] = backend.bus.events
    assert event.event_id == f"{record.job_id}:succeeded"
    assert event.at == NOON


def test_two_finishers_at_once_announce_one_state(backend: FakeBackend, record: JobRecord) -> None:
    outcomes = [Outcome.COMPLETED, Outcome.FAILED, Outcome.EXPIRED, Outcome.LOST] * 2
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda outcome: finish_job(Completion(record.job_id, outcome), backend.ports), outcomes))
    assert len({finished.state for finished in found if finished}) == 1
    assert len(backend.bus.final_ids()) == 1
    assert backend.jobs.records[record.job_id].settled
    assert len({event.model_dump_json() for event in backend.bus.events}) == 1


def test_an_unknown_job_is_dropped(backend: FakeBackend) -> None:
    assert finish_job(Completion("job-x", Outcome.COMPLETED), backend.ports) is None
    assert backend.bus.events == []


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.EXPIRED, Outcome.LOST])
def test_a_job_with_a_manifest_has_succeeded_whatever_is_said(
    backend: FakeBackend, record: JobRecord, outcome: Outcome
) -> None:
    backend.paint(record)
    assert finish(backend, record, outcome, reason="x").state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.COMPLETED, JobFailureCode.STORAGE_FAILED),
        (Outcome.FAILED, JobFailureCode.MODEL_FAILED),
        (Outcome.EXPIRED, JobFailureCode.EXPIRED),
        (Outcome.LOST, JobFailureCode.LOST),
    ],
)
def test_without_a_manifest_it_fails(
    backend: FakeBackend, record: JobRecord, outcome: Outcome, code: JobFailureCode
) -> None:
    finished = finish(backend, record, outcome)
    assert finished.state is JobState.FAILED
    assert finished.failure is not None
    assert finished.failure.code is code
    [event] = backend.bus.events
    assert isinstance(event, JobFailed)
    assert event.failure == finished.failure
    assert event.failure.reference


def test_the_endpoints_own_error_is_found_in_sagemakers_words(backend: FakeBackend, record: JobRecord) -> None:
    error = EndpointError(job_id=record.job_id, code=EndpointErrorCode.OUT_OF_MEMORY, message="m", reference="ref-1")
    reason = f'ClientError: Received server error (500) from model. Message: "{error.model_dump_json()}". See https://x'
    finished = finish(backend, record, Outcome.FAILED, reason=reason)
    assert finished.failure is not None
    assert (finished.failure.code, finished.failure.reference) == (JobFailureCode.OUT_OF_MEMORY, "ref-1")
    assert "Received server error" not in finished.failure.message


def test_the_endpoints_own_error_is_found_where_sagemaker_put_it(backend: FakeBackend, record: JobRecord) -> None:
    error = EndpointError(code=EndpointErrorCode.INVALID_REQUEST, message="Steps must be\n  at most 50.")
    assert record.failure_location is not None
    key = record.failure_location.removeprefix("s3://easel-pictures/")
    backend.pictures.write(key, error.model_dump_json().encode(), "application/json")
    finished = finish(backend, record, Outcome.FAILED, reason="ClientError: see CloudWatch")
    assert finished.failure is not None
    assert finished.failure.code is JobFailureCode.INVALID_REQUEST
    assert finished.failure.message == "Steps must be at most 50."


def test_an_endpoint_that_was_told_to_stop_makes_the_job_cancelled(backend: FakeBackend, record: JobRecord) -> None:
    error = EndpointError(code=EndpointErrorCode.CANCELLED, message="cancelled")
    assert finish(backend, record, Outcome.FAILED, reason=error.model_dump_json()).state is JobState.CANCELLED
    assert [type(event) for event in backend.bus.events] == [JobCancelled]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"version": 1}',
    ],
)
def test_a_manifest_that_cannot_be_read_fails_the_job(backend: FakeBackend, record: JobRecord, content: bytes) -> None:
    backend.pictures.write(record.prefix + MANIFEST_NAME, content, "application/json")
    finished = finish(backend, record, Outcome.COMPLETED)
    assert finished.failure is not None
    assert finished.failure.code is JobFailureCode.MODEL_FAILED


@pytest.mark.parametrize(
    "key",
    [
        "tenants/T0OTHER/jobs/job-x/0.png",
        "tenants/T0OTHER/jobs/job-aaaaaaaaaaaaaaaaaaaaaaaaaa/0.png",
        "{prefix}../../job-x/0.png",
        "{prefix}sub/0.png",
        "{prefix}",
        "",
        "/{prefix}0.png",
    ],
)
def test_a_manifest_that_names_files_elsewhere_fails_the_job(backend: FakeBackend, record: JobRecord, key: str) -> None:
    manifest = manifest_of(record)
    foreign = manifest.pictures[0].model_copy(update={"key": key.format(prefix=record.prefix)})
    for wrong in (
        manifest.model_copy(update={"pictures": [manifest.pictures[1], foreign]}),
        manifest.model_copy(update={"grid": manifest.grid and manifest.grid.model_copy(update={"key": foreign.key})}),
    ):
        fresh = FakeBackend()
        submit_job(ADA, "tiny", ask(pictures=2), fresh.ports)
        fresh.pictures.write(record.prefix + MANIFEST_NAME, wrong.model_dump_json().encode(), "application/json")
        finished = finish_job(Completion(record.job_id, Outcome.COMPLETED), fresh.ports)
        assert finished is not None
        assert finished.state is JobState.FAILED
        assert finished.pictures == ()


def test_a_manifest_of_another_job_or_without_pictures_fails_the_job(backend: FakeBackend, record: JobRecord) -> None:
    for update in ({"job_id": "job-other"}, {"pictures": [], "grid": None}):
        fresh = FakeBackend()
        submit_job(ADA, "tiny", ask(pictures=2), fresh.ports)
        wrong = manifest_of(record).model_copy(update=update)
        fresh.pictures.write(record.prefix + MANIFEST_NAME, wrong.model_dump_json().encode(), "application/json")
        finished = finish_job(Completion(record.job_id, Outcome.COMPLETED), fresh.ports)
        assert finished is not None
        assert finished.state is JobState.FAILED


@pytest.mark.parametrize("deletions", [1, 2])
def test_pictures_that_come_after_cancelling_are_removed(
    backend: FakeBackend, record: JobRecord, deletions: int
) -> None:
    for _ in range(deletions):
        delete_job(ADA, record.job_id, backend.ports)
    announced = list(backend.bus.events)
    backend.paint(record)
    finished = finish(backend, record, Outcome.COMPLETED)
    assert finished.state is (JobState.CANCELLED if deletions == 1 else JobState.DELETED)
    # The marker stays for an endpoint that has not come across it.
    assert backend.pictures.below(record.prefix) == {"cancelled"}
    assert backend.bus.events == announced
