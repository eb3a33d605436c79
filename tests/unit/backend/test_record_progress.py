"""Following a job that is being painted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend_lambda.contract.events import JobProgressed
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import PublishFailed
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.record_progress import record_progress
from backend_lambda.usecases.submit_job import submit_job
from endpoint.contract import Progress
from tests.fakes.backend import ADA, NOON, FakeBackend, ask


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def record(backend: FakeBackend) -> JobRecord:
    return backend.jobs.records[submit_job(ADA, "tiny", ask(), backend.ports).job_id]


def report(backend: FakeBackend, record: JobRecord, step: int) -> JobRecord | None:
    return record_progress(record.job_id, backend.report(record, step), backend.ports)


def test_the_first_report_makes_it_running(backend: FakeBackend, record: JobRecord) -> None:
    backend.clock.go_on(timedelta(seconds=9))
    assert report(backend, record, 0)
    running = backend.jobs.records[record.job_id]
    assert (running.state, running.step, running.started_at) == (JobState.RUNNING, 0, NOON + timedelta(seconds=9))
    assert running.due_at == NOON + timedelta(minutes=15, seconds=129)
    [event] = backend.bus.events
    assert isinstance(event, JobProgressed)
    assert (event.step, event.steps, event.event_id) == (0, 20, f"{record.job_id}:progressed:0")


def test_steps_only_go_up(backend: FakeBackend, record: JobRecord) -> None:
    for step in (0, 8, 3, 8, 15):
        report(backend, record, step)
    assert [event.step for event in backend.bus.events if isinstance(event, JobProgressed)] == [0, 8, 15]
    assert backend.jobs.records[record.job_id].started_at == NOON


def test_a_final_job_progresses_no_more(backend: FakeBackend, record: JobRecord) -> None:
    backend.paint(record)
    finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    before = backend.jobs.records[record.job_id]
    assert report(backend, record, 5) is None
    assert backend.jobs.records[record.job_id] == before
    assert len(backend.bus.events) == 1


def test_a_file_that_is_gone_or_broken_or_anothers_is_dropped(backend: FakeBackend, record: JobRecord) -> None:
    key = record.prefix + "progress.json"
    assert record_progress(record.job_id, key, backend.ports) is None
    wrong = Progress(job_id="job-other", step=1, steps=2).model_dump_json().encode()
    for content in (b"", b"{", b"\xff", b'{"version": 1, "job_id": "x", "step": -1, "steps": 0}', wrong):
        backend.pictures.write(key, content, "application/json")
        assert record_progress(record.job_id, key, backend.ports) is None
    assert backend.jobs.records[record.job_id].state is JobState.QUEUED


def test_a_file_elsewhere_is_not_read(backend: FakeBackend, record: JobRecord) -> None:
    backend.pictures.write("tenants/T0OTHER/jobs/x/progress.json", b"{}", "application/json")
    for key in ("tenants/T0OTHER/jobs/x/progress.json", record.prefix + "other.json"):
        assert record_progress(record.job_id, key, backend.ports) is None
    assert record_progress("job-x", record.prefix + "progress.json", backend.ports) is None


def test_a_cancelled_job_is_not_woken(backend: FakeBackend, record: JobRecord) -> None:
    delete_job(ADA, record.job_id, backend.ports)
    assert report(backend, record, 0) is None
    assert backend.jobs.records[record.job_id].state is JobState.CANCELLED


def test_a_report_that_the_bus_refused_is_followed_by_the_next(backend: FakeBackend, record: JobRecord) -> None:
    backend.bus.failing = 1
    with pytest.raises(PublishFailed):
        report(backend, record, 0)
    assert report(backend, record, 0) is None
    assert report(backend, record, 4)
    assert backend.bus.ids() == [f"{record.job_id}:progressed:4"]


def test_a_job_that_ends_while_its_report_is_read_stays_ended(backend: FakeBackend, record: JobRecord) -> None:
    def complete() -> None:
        backend.paint(record)
        finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)

    backend.jobs.meanwhile = complete
    assert report(backend, record, 5) is None
    assert backend.jobs.records[record.job_id].state is JobState.SUCCEEDED
    assert backend.bus.ids() == [f"{record.job_id}:succeeded"]
