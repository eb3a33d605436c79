"""Looking through jobs, and through endpoints."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_lambda.callers import Caller
from backend_lambda.contract.endpoints import EndpointStatus
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import JobList
from backend_lambda.ports import CatalogEntry, EndpointCondition
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.list_endpoints import list_endpoints
from backend_lambda.usecases.list_jobs import list_jobs
from backend_lambda.usecases.refusals import FieldRefused
from backend_lambda.usecases.submit_job import submit_job
from tests.fakes.backend import ADA, BOB, MALLORY, TINY, FakeBackend, ask


def page(
    backend: FakeBackend,
    caller: Caller = ADA,
    limit: int = 2,
    position: str | None = None,
    state: JobState | None = None,
    mine: bool = False,
) -> JobList:
    return list_jobs(caller, backend.ports, limit=limit, position=position, state=state, mine=mine)


def pages(backend: FakeBackend, **more: Any) -> list[list[str]]:
    found = [page(backend, **more)]
    while found[-1].next is not None:
        found.append(page(backend, position=found[-1].next, **more))
    return [[job.job_id for job in one.jobs] for one in found]


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def ids(backend: FakeBackend) -> list[str]:
    """Five jobs of one tenant, newest first; the second and fourth oldest are Bob's. And one of another's."""
    made = []
    for number in range(5):
        caller = BOB if number % 2 else ADA
        made.append(submit_job(caller, "tiny", ask(key=f"k{number}"), backend.ports).job_id)
        backend.clock.go_on(timedelta(seconds=1))
    submit_job(MALLORY, "tiny", ask(), backend.ports)
    return made[::-1]


def test_pages_hold_the_tenants_jobs_newest_first(backend: FakeBackend, ids: list[str]) -> None:
    assert pages(backend) == [ids[0:2], ids[2:4], ids[4:]]
    assert pages(backend, limit=5) == [ids]
    assert pages(backend, mine=True) == [[ids[0], ids[2]], [ids[4]]]
    delete_job(ADA, ids[3], backend.ports)
    assert pages(backend, state=JobState.CANCELLED) == [[ids[3]]]
    assert pages(FakeBackend()) == [[]]


def test_pictures_come_with_links(backend: FakeBackend, ids: list[str]) -> None:
    backend.paint(backend.jobs.records[ids[0]])
    finish_job(Completion(ids[0], Outcome.COMPLETED), backend.ports)
    first, second = page(backend).jobs
    assert first.pictures[0].url
    assert second.pictures == []


def test_a_position_is_of_one_tenant_and_one_list(backend: FakeBackend, ids: list[str]) -> None:
    position = page(backend).next
    assert position is not None
    for wrong in (
        {"caller": MALLORY},
        {"state": JobState.QUEUED},
        {"mine": True},
    ):
        with pytest.raises(FieldRefused) as refused:
            page(backend, position=position, **wrong)
        assert refused.value.field == "next"
    for broken in ("", position[:-1], position + "A", position[1:], position.swapcase()):
        with pytest.raises(FieldRefused):
            page(backend, position=broken)
    # Bob reads the same list.
    assert [job.job_id for job in page(backend, caller=BOB, position=position).jobs] == ids[2:4]


@given(st.text(max_size=80))
def test_no_made_up_position_is_taken(position: str) -> None:
    with pytest.raises(FieldRefused):
        page(FakeBackend(), position=position)


def test_endpoints_come_with_their_condition(backend: FakeBackend) -> None:
    backend.catalog.add(CatalogEntry("big", "easel-big", TINY.model_copy(update={"name": "sdxl", "title": "Large"})))
    backend.monitor.conditions["easel-tiny"] = EndpointCondition(EndpointStatus.READY, 1)
    big, tiny = list_endpoints(backend.catalog, backend.monitor).endpoints
    assert (big.name, big.model, big.title, big.status, big.instances) == ("big", "sdxl", "Large", "missing", 0)
    assert (tiny.name, tiny.status, tiny.instances) == ("tiny", EndpointStatus.READY, 1)
    assert (tiny.native_width, tiny.max_pixels, tiny.default_steps) == (128, 65536, 20)
