"""The contract of `JobStore`, over the fake and over DynamoDB."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_jobs import DynamoJobStore
from backend_lambda.contract.errors import JobFailure, JobFailureCode
from backend_lambda.contract.job_state import OPEN_STATES, JobState
from backend_lambda.contract.jobs import JobGrid, JobPicture, Owner, Settings
from backend_lambda.job_record import JobRecord, make_job_id
from backend_lambda.ports import JobStore, Overtaken
from backend_lambda.usage import Count, Measure
from tests.contract.conftest import make_jobs_table, make_usage_table
from tests.fakes.backend import NOON, FakeJobStore

SETTINGS = Settings(
    prompt="a red cirçle 🎈 \u202eright to left",
    negative_prompt="",
    width=128,
    height=64,
    seeds=[2**32 - 1, 0],
    steps=20,
    guidance_scale=7.25,
)


@pytest.fixture(scope="module")
def shared_tables(aws: Clients) -> tuple[str, str]:
    """Of jobs, and of the counters of what they use."""
    return make_jobs_table(aws), make_usage_table(aws)


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> JobStore:
    if request.param == "fake":
        return FakeJobStore()
    aws: Clients = request.getfixturevalue("aws")
    return DynamoJobStore(aws.of("dynamodb"), *request.getfixturevalue("shared_tables"))


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test uses: the table is shared."""
    return f"T{uuid.uuid4().hex[:10].upper()}"


@pytest.fixture
def make(store: JobStore, tenant: str) -> Callable[..., JobRecord]:
    def make(key: str = "k", **more: Any) -> JobRecord:
        record = record_of(tenant, key, **more)
        assert store.create(record) is None
        return record

    return make


def record_of(tenant: str, key: str, minutes: int = 0, member: str = "U0ADA", **more: Any) -> JobRecord:
    created = NOON + timedelta(minutes=minutes, microseconds=1)
    record = JobRecord(
        job_id=make_job_id(tenant, key),
        owner=Owner(tenant=tenant, member=member),
        endpoint="tiny",
        sagemaker_endpoint_name="easel-tiny",
        model="tiny",
        settings=SETTINGS,
        context={"channel": "C1", "note": "ünï"},
        fingerprint="f" * 64,
        created_at=created,
        state=JobState.ACCEPTED,
        due_at=created + timedelta(seconds=60),
        attempts=1,
        attempted_at=created,
    )
    return replace(record, **more)


def test_what_was_created_is_read_back_whole(store: JobStore, make: Callable[..., JobRecord]) -> None:
    record = make(
        state=JobState.SUCCEEDED,
        step=40,
        output_location="s3://b/o",
        failure_location="s3://b/f",
        started_at=NOON,
        finished_at=NOON + timedelta(seconds=3),
        pictures=(JobPicture(bucket="b", key="k/0.png", seed=1, width=128, height=64, bytes=10),),
        grid=JobGrid(bucket="b", key="k/grid.png", width=256, height=64, bytes=20),
        model_seconds=1.25,
        failure=JobFailure(code=JobFailureCode.LOST, message="gone", reference="r1"),
        holds=(Count("T|channel#C1|2026-11-23", Measure.IMAGES, 2), Count("T|channel#C1|now", Measure.JOBS, 1)),
    )
    assert store.get(record.job_id) == record


def test_an_unknown_job_is_none(store: JobStore) -> None:
    assert store.get("job-aaaaaaaaaaaaaaaaaaaaaaaaaa") is None
    assert store.get("") is None


def test_the_second_creation_gets_the_first_record(store: JobStore, make: Callable[..., JobRecord]) -> None:
    first = make()
    assert store.create(replace(first, fingerprint="other")) == first
    assert store.get(first.job_id) == first


def test_of_eight_creations_at_once_one_wins(store: JobStore, tenant: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: store.create(record_of(tenant, "same", fingerprint=str(n))), range(8)))
    assert answers.count(None) == 1
    winner = store.get(make_job_id(tenant, "same"))
    assert winner is not None
    assert winner.fingerprint == str(answers.index(None))
    assert all(answer == winner for answer in answers if answer is not None)


def test_an_update_changes_what_it_names_and_returns_it(store: JobStore, make: Callable[..., JobRecord]) -> None:
    record = make()
    due = NOON + timedelta(hours=1)
    changed = store.update(
        record.job_id,
        {"state": JobState.QUEUED, "due_at": due, "output_location": "s3://b/o", "failure_location": None},
        when={JobState.ACCEPTED},
    )
    assert changed == replace(record, state=JobState.QUEUED, due_at=due, output_location="s3://b/o")
    assert store.get(record.job_id) == changed


def test_an_update_from_another_state_is_overtaken(store: JobStore, make: Callable[..., JobRecord]) -> None:
    record = make()
    with pytest.raises(Overtaken) as overtaken:
        store.update(record.job_id, {"state": JobState.DELETED}, when={JobState.SUCCEEDED, JobState.FAILED})
    assert overtaken.value.record == record
    assert store.get(record.job_id) == record


def test_an_update_of_no_job_is_overtaken_by_nothing(store: JobStore) -> None:
    with pytest.raises(Overtaken) as overtaken:
        store.update("job-aaaaaaaaaaaaaaaaaaaaaaaaaa", {"step": 1}, when=OPEN_STATES)
    assert overtaken.value.record is None
    assert store.get("job-aaaaaaaaaaaaaaaaaaaaaaaaaa") is None


def test_attempts_must_be_as_expected(store: JobStore, make: Callable[..., JobRecord]) -> None:
    record = make()
    store.update(record.job_id, {"attempts": 2}, when=OPEN_STATES, attempts=1)
    with pytest.raises(Overtaken) as overtaken:
        store.update(record.job_id, {"attempts": 2}, when=OPEN_STATES, attempts=1)
    assert overtaken.value.record is not None
    assert overtaken.value.record.attempts == 2


def test_steps_only_go_up(store: JobStore, make: Callable[..., JobRecord]) -> None:
    record = make()
    store.update(record.job_id, {"step": 0}, when=OPEN_STATES, step_below=0)
    store.update(record.job_id, {"step": 12}, when=OPEN_STATES, step_below=12)
    for stale in (0, 9, 12):
        with pytest.raises(Overtaken):
            store.update(record.job_id, {"step": stale}, when=OPEN_STATES, step_below=stale)
    current = store.get(record.job_id)
    assert current is not None
    assert current.step == 12


def test_of_eight_moves_at_once_one_wins(store: JobStore, make: Callable[..., JobRecord]) -> None:
    record = make()

    def finish(number: int) -> bool:
        state = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)[number % 3]
        try:
            store.update(record.job_id, {"state": state, "step": number}, when=OPEN_STATES)
        except Overtaken as overtaken:
            assert overtaken.record is not None
            assert overtaken.record.state.is_final
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(finish, range(8)))
    assert won.count(True) == 1
    current = store.get(record.job_id)
    assert current is not None
    assert current.step == won.index(True)


def test_a_page_holds_the_tenants_jobs_newest_first(
    store: JobStore, make: Callable[..., JobRecord], tenant: str
) -> None:
    records = [make(f"k{minute}", minutes=minute) for minute in (3, 1, 4, 2, 0)]
    assert store.create(record_of(tenant + "X", "other")) is None
    expected = sorted((record.job_id for record in records), key=lambda job_id: job_id)
    found, after, pages = [], None, 0
    while True:
        page = store.page(tenant, limit=2, after=after, state=None, member=None)
        found += page.records
        pages += 1
        after = page.after
        if after is None:
            break
    assert pages == 3
    assert sorted(record.job_id for record in found) == expected
    assert [record.created_at for record in found] == sorted((record.created_at for record in records), reverse=True)


def test_a_page_can_be_of_one_state_or_member(store: JobStore, make: Callable[..., JobRecord], tenant: str) -> None:
    for minute in range(6):
        make(
            f"k{minute}",
            minutes=minute,
            member="U0BOB" if minute % 2 else "U0ADA",
            state=JobState.FAILED if minute < 3 else JobState.QUEUED,
        )

    def all_of(state: JobState | None, member: str | None) -> list[int]:
        found, after = [], None
        while True:
            page = store.page(tenant, limit=1, after=after, state=state, member=member)
            found += [record.created_at.minute for record in page.records]
            if (after := page.after) is None:
                return found

    assert all_of(JobState.FAILED, None) == [2, 1, 0]
    assert all_of(None, "U0BOB") == [5, 3, 1]
    assert all_of(JobState.QUEUED, "U0BOB") == [5, 3]
    assert all_of(JobState.DELETED, None) == []


def test_jobs_of_the_same_moment_all_appear(store: JobStore, make: Callable[..., JobRecord], tenant: str) -> None:
    made = {make(f"k{number}").job_id for number in range(5)}
    first = store.page(tenant, limit=3, after=None, state=None, member=None)
    second = store.page(tenant, limit=3, after=first.after, state=None, member=None)
    assert second.after is None
    assert {record.job_id for record in first.records + second.records} == made


def test_due_are_the_unsettled_whose_time_has_come(store: JobStore, make: Callable[..., JobRecord]) -> None:
    long_ago = NOON - timedelta(days=400)
    overdue = make("overdue", due_at=long_ago + timedelta(seconds=2))
    earlier = make("earlier", due_at=long_ago + timedelta(seconds=1))
    settled = make("settled", due_at=long_ago)
    later = make("later", due_at=long_ago + timedelta(days=1))
    store.update(settled.job_id, {"due_at": None}, when=OPEN_STATES)
    now = long_ago + timedelta(minutes=1)
    mine = {record.job_id for record in (overdue, earlier, settled, later)}

    def due() -> list[str]:
        return [job_id for job_id in store.due(now, 1000) if job_id in mine]

    assert due() == [earlier.job_id, overdue.job_id]
    store.update(earlier.job_id, {"due_at": now + timedelta(hours=1)}, when=OPEN_STATES)
    store.update(overdue.job_id, {"due_at": None}, when=OPEN_STATES)
    assert due() == []
    assert store.get(overdue.job_id) == replace(overdue, due_at=None)
    assert store.due(now + timedelta(days=2), 1)[0] == earlier.job_id
    # Leave nothing due behind for the other tests of this table.
    for record in (earlier, later):
        store.update(record.job_id, {"due_at": None}, when=OPEN_STATES)
