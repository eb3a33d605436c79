"""Cancelling and deleting."""

from __future__ import annotations

import pytest

from backend_lambda.contract.events import JobCancelled
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import Job
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import Overtaken, PublishFailed
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.read_job import read_job
from backend_lambda.usecases.refusals import JobNotFound
from backend_lambda.usecases.submit_job import submit_job
from tests.fakes.backend import ADA, BOB, MALLORY, FakeBackend, FakeJobStore, ask


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def record(backend: FakeBackend) -> JobRecord:
    job = submit_job(ADA, "tiny", ask(pictures=2), backend.ports)
    return backend.jobs.records[job.job_id]


def delete(backend: FakeBackend, record: JobRecord) -> Job:
    return delete_job(BOB, record.job_id, backend.ports)


def test_an_open_job_is_cancelled_and_its_endpoint_told(backend: FakeBackend, record: JobRecord) -> None:
    assert delete(backend, record).state is JobState.CANCELLED
    assert backend.cancelled_marker(record)
    [event] = backend.bus.events
    assert isinstance(event, JobCancelled)
    assert backend.jobs.records[record.job_id].settled


def test_a_finished_job_loses_its_files_and_keeps_its_record(backend: FakeBackend, record: JobRecord) -> None:
    backend.paint(record)
    finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    neighbour = record.prefix[:-1] + "x/0.png"
    backend.pictures.write(neighbour, b"x", "image/png")
    first = delete(backend, record)
    assert (first.state, first.pictures, first.grid) == (JobState.DELETED, [], None)
    assert first.settings.prompt == "a red circle"
    assert set(backend.pictures.objects) == {neighbour}
    assert delete(backend, record) == first
    assert len(backend.bus.events) == 1


def test_what_happened_is_announced_before_its_pictures_go(backend: FakeBackend, record: JobRecord) -> None:
    backend.paint(record)
    backend.bus.failing = 2
    with pytest.raises(PublishFailed):
        finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    with pytest.raises(PublishFailed):
        delete(backend, record)
    assert record.prefix + "0.png" in backend.pictures.objects
    assert delete(backend, record).state is JobState.DELETED
    assert backend.bus.ids() == [f"{record.job_id}:succeeded"]


def test_whoever_dies_while_deleting_leaves_it_to_the_next(backend: FakeBackend, record: JobRecord) -> None:
    backend.paint(record)
    finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    backend.jobs.update(record.job_id, {"state": JobState.DELETED, "due_at": backend.clock.now()}, when=set(JobState))
    delete(backend, record)
    assert backend.pictures.below(record.prefix) == set()
    assert backend.jobs.records[record.job_id].settled


def test_a_completion_that_is_faster_makes_it_a_deletion(backend: FakeBackend, record: JobRecord) -> None:
    def complete() -> None:
        backend.paint(record)
        finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)

    backend.jobs.meanwhile = complete
    assert delete(backend, record).state is JobState.DELETED
    assert backend.pictures.below(record.prefix) == set()
    assert backend.bus.final_ids() == {f"{record.job_id}:succeeded"}


def test_a_cancelled_job_keeps_its_marker_when_it_is_deleted(backend: FakeBackend, record: JobRecord) -> None:
    delete(backend, record)
    assert delete(backend, record).state is JobState.DELETED
    assert backend.pictures.below(record.prefix) == {"cancelled"}


def test_another_tenants_job_looks_like_none(backend: FakeBackend, record: JobRecord) -> None:
    before = dict(backend.jobs.records)
    refusals = []
    for caller, job_id in ((MALLORY, record.job_id), (ADA, "job-aaaaaaaaaaaaaaaaaaaaaaaaaa")):
        for use in (delete_job, read_job):
            with pytest.raises(JobNotFound) as refused:
                use(caller, job_id, backend.ports)
            refusals.append((refused.value.message, refused.value.field, refused.value.given == job_id))
    assert len(set(refusals)) == 1
    assert backend.jobs.records == before


def test_a_store_that_never_settles_is_an_error(backend: FakeBackend, record: JobRecord) -> None:
    class Restless(FakeJobStore):
        def update(self, job_id: str, changes: object, **more: object) -> JobRecord:
            raise Overtaken(self.records[job_id])

    restless = Restless()
    restless.records = backend.jobs.records
    backend.jobs = restless
    with pytest.raises(AssertionError):
        delete(backend, record)


def test_a_deletion_that_breaks_off_beside_an_announcement_stays_unsettled(
    backend: FakeBackend, record: JobRecord
) -> None:
    def delete_and_die() -> None:
        due_at = backend.clock.now() + backend.timing.announcement
        backend.jobs.update(record.job_id, {"state": JobState.DELETED, "due_at": due_at}, when={JobState.SUCCEEDED})

    backend.paint(record)
    backend.bus.failing = 1
    with pytest.raises(PublishFailed):
        finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    backend.jobs.meanwhile = delete_and_die
    finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    left = backend.jobs.records[record.job_id]
    assert (left.state, left.settled) == (JobState.DELETED, False)


def test_a_cancellation_that_comes_too_late_leaves_the_pictures(backend: FakeBackend, record: JobRecord) -> None:
    def complete() -> None:
        backend.paint(record)
        finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)

    backend.jobs.meanwhile = complete
    for _ in range(2):
        job = delete_job(ADA, record.job_id, backend.ports, only_open=True)
        assert (job.state, len(job.pictures)) == (JobState.SUCCEEDED, 2)
    assert record.prefix + "0.png" in backend.pictures.objects
    assert backend.bus.ids() == [f"{record.job_id}:succeeded"]


def test_a_cancellation_told_twice_is_a_cancellation(backend: FakeBackend, record: JobRecord) -> None:
    for _ in range(2):
        assert delete_job(ADA, record.job_id, backend.ports, only_open=True).state is JobState.CANCELLED
    assert backend.bus.ids() == [f"{record.job_id}:cancelled"]
