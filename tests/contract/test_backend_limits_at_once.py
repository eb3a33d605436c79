"""Two hundred requests at once against a limit of fifty, through the real use case, on DynamoDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from backend_lambda.access_ports import AccessChange
from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.aws.dynamodb_endpoints import DynamoEndpointCatalog, DynamoPaceBook
from backend_lambda.aws.dynamodb_jobs import DynamoJobStore
from backend_lambda.contract.access import AuditEntry
from backend_lambda.contract.job_state import JobState
from backend_lambda.recent_access import RecentAccess
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.read_limits import read_limits
from backend_lambda.usecases.refusals import LimitReached
from backend_lambda.usecases.submit_job import submit_job
from tests.contract.conftest import make_access_tables
from tests.contract.test_backend_endpoints import TINY_ENTRY, put_entry
from tests.fakes.backend import ADA, BOB, NOON, FakeBackend, FakeClock, ask
from tests.fakes.limiting import limiting

HERE = [replace(ADA, channel="C1"), replace(BOB, channel="C1")]


@pytest.fixture
def backend(aws: Clients, jobs_table: str, usage_table: str, endpoints_table: str) -> FakeBackend:
    """Everything that is counted, and by what it is limited, is in DynamoDB; SageMaker and S3 are not asked."""
    dynamodb = aws.of("dynamodb")
    put_entry(aws, endpoints_table, TINY_ENTRY)
    access = DynamoAccessStore(dynamodb, *make_access_tables(aws))
    entry = limiting("channel", "C1", images_per_day=50, gpu_seconds_per_day=10_000, jobs_at_once=1_000)
    record = AuditEntry(id="1", at=NOON, member="U0ADMIN", principal="arn", action="put_grant", subject="channel#C1")
    access.write(ADA.tenant, AccessChange(record=record, put=entry), version=0)
    backend = FakeBackend(
        jobs=DynamoJobStore(dynamodb, jobs_table, usage_table),  # type: ignore[arg-type]
        catalog=DynamoEndpointCatalog(dynamodb, endpoints_table),  # type: ignore[arg-type]
        access=access,  # type: ignore[arg-type]
        clock=FakeClock(),
    )
    backend.paces = DynamoPaceBook(dynamodb, endpoints_table)  # type: ignore[assignment]
    backend.recent_access = RecentAccess(access)
    return backend


def used(backend: FakeBackend) -> dict[str, float]:
    found = read_limits(HERE[0], backend.access, backend.jobs, backend.clock)
    return {allowance.name: allowance.used for allowance in found.allowances}


def submit(backend: FakeBackend, number: int) -> str | None:
    """The job's id, or None where the limit is reached."""
    try:
        job = submit_job(HERE[number % 2], "tiny", ask(key=f"k{number}"), backend.ports)
    except LimitReached as refused:
        assert refused.limit is not None
        assert (refused.limit.name, refused.limit.used) == ("images_per_day", 50)
        return None
    assert job.state is JobState.QUEUED
    return job.job_id


def test_exactly_fifty_of_two_hundred_go_through_and_cancelling_gives_back(backend: FakeBackend) -> None:
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda number: submit(backend, number), range(200)))
    through = [job_id for job_id in answers if job_id is not None]
    assert len(through) == 50
    assert len(backend.starter.started) == 50
    assert (used(backend)["images_per_day"], used(backend)["jobs_at_once"]) == (50, 50)

    # Those that went through come once more, all at once: they are answered, and nothing is counted.
    repeated = [number for number, job_id in enumerate(answers) if job_id is not None]
    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(lambda number: submit(backend, number), repeated)) == through
    assert used(backend)["images_per_day"] == 50

    # Twenty are cancelled by two members each, ten fail, twenty are painted.
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda job_id: delete_job(ADA, job_id, backend.ports, only_open=True), through[:20] * 2))
        list(pool.map(lambda job_id: finish_job(Completion(job_id, Outcome.FAILED), backend.ports), through[20:30] * 2))
    for job_id in through[30:]:
        record = backend.jobs.get(job_id)
        assert record is not None
        backend.paint(record)
        finish_job(Completion(job_id, Outcome.COMPLETED), backend.ports)
    assert used(backend) == {
        "images_per_day": 20,
        "gpu_seconds_per_day": pytest.approx(20 * 1.8),
        "jobs_at_once": 0,
    }

    # What was given back can be taken, and no more.
    with ThreadPoolExecutor(40) as pool:
        more = list(pool.map(lambda number: submit(backend, number), range(200, 240)))
    assert len([job_id for job_id in more if job_id is not None]) == 30
    backend.clock.go_on(timedelta(days=1))
    assert submit(backend, 300) is not None
