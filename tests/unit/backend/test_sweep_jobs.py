"""Looking after what nobody looks after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from backend_lambda.contract.errors import JobFailureCode
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import PublishFailed
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.record_progress import record_progress
from backend_lambda.usecases.submit_job import submit_job
from backend_lambda.usecases.sweep_jobs import sweep_jobs
from endpoint.contract import EndpointError, EndpointErrorCode
from tests.fakes.backend import ADA, FakeBackend, ask

MINUTE = timedelta(minutes=1)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


def submit(backend: FakeBackend, key: str = "k1") -> JobRecord:
    return backend.jobs.records[submit_job(ADA, "tiny", ask(key=key), backend.ports).job_id]


def sweep(backend: FakeBackend, after: timedelta = timedelta(0)) -> dict[str, int]:
    backend.clock.go_on(after)
    return dict(sweep_jobs(backend.ports, until=backend.clock.now() + MINUTE))


def test_a_job_that_goes_its_way_is_left_alone(backend: FakeBackend) -> None:
    record = submit(backend)
    assert sweep(backend, timedelta(hours=1)) == {}
    assert backend.jobs.records[record.job_id] == record


def test_a_job_that_was_not_handed_over_is_handed_over(backend: FakeBackend) -> None:
    backend.starter.busy.add("easel-tiny")
    record = submit(backend)
    backend.starter.busy.clear()
    assert sweep(backend, timedelta(seconds=59)) == {}
    assert sweep(backend, timedelta(seconds=1)) == {"queued": 1}
    assert backend.jobs.records[record.job_id].attempts == 2
    assert sweep(backend, MINUTE) == {}
    assert len(backend.starter.started) == 1


def test_a_job_that_can_never_be_handed_over_fails_in_the_end(backend: FakeBackend) -> None:
    backend.starter.busy.add("easel-tiny")
    record = submit(backend)
    for _ in range(30):
        sweep(backend, MINUTE)
    failed = backend.jobs.records[record.job_id]
    assert (failed.state, failed.attempts) == (JobState.FAILED, backend.timing.starts)
    assert failed.failure is not None
    assert failed.failure.code is JobFailureCode.START_FAILED
    assert backend.bus.ids() == [f"{record.job_id}:failed"]


@pytest.mark.parametrize("running", [False, True])
def test_a_job_whose_completion_never_came_is_found_in_s3(backend: FakeBackend, running: bool) -> None:
    record = submit(backend)
    if running:
        record_progress(record.job_id, backend.report(record, 0), backend.ports)
    backend.paint(record)
    late = timedelta(minutes=18) if running else timedelta(minutes=78)
    assert sweep(backend, late - 2 * MINUTE) == {}
    assert sweep(backend, 2 * MINUTE) == {"succeeded": 1}
    assert backend.bus.ids()[-1] == f"{record.job_id}:succeeded"


def test_a_job_whose_failure_never_came_is_found_in_s3(backend: FakeBackend) -> None:
    record = submit(backend)
    assert record.failure_location is not None
    error = EndpointError(code=EndpointErrorCode.STORAGE_FAILED, message="x")
    key = record.failure_location.removeprefix("s3://easel-pictures/")
    backend.pictures.write(key, error.model_dump_json().encode(), "application/json")
    assert sweep(backend, timedelta(hours=3)) == {"failed": 1}
    failure = backend.jobs.records[record.job_id].failure
    assert failure is not None
    assert failure.code is JobFailureCode.STORAGE_FAILED


def test_a_job_of_which_nothing_is_found_is_lost_and_that_is_said(backend: FakeBackend) -> None:
    record = submit(backend)
    assert sweep(backend, timedelta(hours=3)) == {"failed": 1}
    failure = backend.jobs.records[record.job_id].failure
    assert failure is not None
    assert failure.code is JobFailureCode.LOST
    assert backend.bus.ids() == [f"{record.job_id}:failed"]


def test_what_was_not_announced_is_announced(backend: FakeBackend) -> None:
    record = submit(backend)
    backend.paint(record)
    backend.bus.failing = 1
    with pytest.raises(PublishFailed):
        finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    assert sweep(backend, timedelta(seconds=30)) == {}
    assert sweep(backend, timedelta(seconds=30)) == {"succeeded": 1}
    assert backend.bus.ids() == [f"{record.job_id}:succeeded"]
    assert sweep(backend, timedelta(days=1)) == {}


def test_a_cancellation_and_a_deletion_that_broke_off_are_completed(backend: FakeBackend) -> None:
    cancelled, deleted = submit(backend), submit(backend, "k2")
    backend.bus.failing = 1
    with pytest.raises(PublishFailed):
        delete_job(ADA, cancelled.job_id, backend.ports)
    del backend.pictures.objects[cancelled.prefix + "cancelled"]
    backend.paint(deleted)
    finish_job(Completion(deleted.job_id, Outcome.COMPLETED), backend.ports)
    soon = backend.clock.now() + MINUTE
    backend.jobs.update(deleted.job_id, {"state": JobState.DELETED, "due_at": soon}, when={JobState.SUCCEEDED})
    assert sweep(backend, MINUTE) == {"cancelled": 1, "deleted": 1}
    assert backend.cancelled_marker(cancelled)
    assert backend.pictures.below(deleted.prefix) == set()
    assert f"{cancelled.job_id}:cancelled" in backend.bus.ids()
    assert all(record.settled for record in backend.jobs.records.values())


def test_one_job_that_can_not_be_handled_does_not_stop_the_others(backend: FakeBackend) -> None:
    records = [submit(backend, f"k{number}") for number in range(5)]
    backend.bus.failing = 1
    assert sweep(backend, timedelta(hours=3)) == {"failed": 4, "errors": 1}
    [left] = [record for record in backend.jobs.records.values() if not record.settled]
    assert sweep(backend, timedelta(minutes=4)) == {}
    assert sweep(backend, MINUTE) == {"failed": 1}
    assert backend.jobs.records[left.job_id].settled
    assert backend.bus.final_ids() == {f"{record.job_id}:failed" for record in records}


def test_two_sweepers_at_once_start_each_job_once(backend: FakeBackend) -> None:
    backend.starter.busy.add("easel-tiny")
    for number in range(20):
        submit(backend, f"k{number}")
    backend.starter.busy.clear()
    backend.clock.go_on(MINUTE)
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: sweep(backend), range(4)))
    assert len(backend.starter.started) == 20
    assert {record.state for record in backend.jobs.records.values()} == {JobState.QUEUED}
    assert sum(count.get("queued", 0) for count in counts) == 20


def test_a_sweeper_whose_time_is_up_stops(backend: FakeBackend) -> None:
    submit(backend)
    backend.clock.go_on(timedelta(hours=3))
    assert sweep_jobs(backend.ports, until=backend.clock.now()) == {}


def test_a_retry_that_is_faster_than_the_sweeper_starts_the_job_alone(backend: FakeBackend) -> None:
    backend.starter.busy.add("easel-tiny")
    record = submit(backend)
    backend.clock.go_on(MINUTE)

    def retry() -> None:
        # It claims the start, and then is busy for a while: the job stays accepted.
        assert submit_job(ADA, "tiny", ask(), backend.ports).state is JobState.ACCEPTED
        backend.starter.busy.clear()

    backend.jobs.meanwhile = retry
    assert sweep(backend) == {}
    assert backend.starter.started == []
    assert backend.jobs.records[record.job_id].attempts == 2
