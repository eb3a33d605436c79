"""What `JobStore` counts, over the fake and over DynamoDB; and how conflicts of DynamoDB are waited out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_jobs import DynamoJobStore
from backend_lambda.aws.patience import Patience
from backend_lambda.contract.job_state import OPEN_STATES, JobState
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import JobStore, OverLimit, Overtaken, StoreBusy
from backend_lambda.usage import Count, Measure, Reservation, Usage, counter_of, used_of
from tests.contract.conftest import make_jobs_table, make_usage_table
from tests.contract.test_backend_job_store import record_of
from tests.fakes.backend import FakeJobStore

EXPIRY = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture(scope="module")
def shared_tables(aws: Clients) -> tuple[str, str]:
    return make_jobs_table(aws), make_usage_table(aws)


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> JobStore:
    if request.param == "fake":
        return FakeJobStore()
    aws: Clients = request.getfixturevalue("aws")
    return DynamoJobStore(aws.of("dynamodb"), *request.getfixturevalue("shared_tables"))


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test uses: the tables are shared."""
    return f"T{uuid.uuid4().hex[:10].upper()}"


def reservations(tenant: str, images: int = 1, *, most: int = 10, subject: str = "channel#C1") -> list[Reservation]:
    """Pictures and GPU time of a day, which share an item, and a job under way, which has its own."""
    day, now = (counter_of(tenant, subject, window) for window in ("2026-11-23", "now"))
    return [
        Reservation(Count(day, Measure.IMAGES, images), most, EXPIRY),
        Reservation(Count(now, Measure.JOBS, 1), most),
        Reservation(Count(day, Measure.GPU_MS, 100 * images), 100 * most, EXPIRY),
    ]


def holding(tenant: str, key: str, taken: list[Reservation], **more: Any) -> JobRecord:
    return record_of(tenant, key, holds=tuple(reservation.count for reservation in taken), **more)


def give_back(record: JobRecord) -> list[Count]:
    return [replace(count, amount=-count.amount) for count in record.holds]


def used(store: JobStore, tenant: str, subject: str = "channel#C1") -> tuple[int, int, int]:
    """Pictures, milliseconds, jobs."""
    day, now = (counter_of(tenant, subject, window) for window in ("2026-11-23", "now"))
    found = store.usage([day, now])
    return used_of(found, day, Measure.IMAGES), used_of(found, day, Measure.GPU_MS), used_of(found, now, Measure.JOBS)


def test_what_is_held_is_counted_with_the_job(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant, 3)
    record = holding(tenant, "k", taken)
    assert store.create(record, taken) is None
    assert used(store, tenant) == (3, 300, 1)
    assert store.get(record.job_id) == record
    assert store.create(holding(tenant, "k2", reservations(tenant, 7)), reservations(tenant, 7)) is None
    assert used(store, tenant) == (10, 1_000, 2)


def test_what_was_never_counted_is_not_there(store: JobStore, tenant: str) -> None:
    assert store.usage([]) == {}
    assert store.usage([f"{tenant}|a|now", f"{tenant}|a|now"]) == {}


def test_hundreds_of_counters_can_be_read_at_once(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant)
    store.create(holding(tenant, "k", taken), taken)
    many = [f"{tenant}|{number}|now" for number in range(250)]
    found = store.usage([*many, taken[0].count.counter])
    assert found == {taken[0].count.counter: {Measure.IMAGES: 1, Measure.GPU_MS: 100}}


def test_what_does_not_fit_changes_nothing_and_says_what_is_used(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant, 8)
    store.create(holding(tenant, "k", taken), taken)
    more = reservations(tenant, 3)
    with pytest.raises(OverLimit) as over:
        store.create(holding(tenant, "k2", more), more)
    assert {(found.count.measure, number) for found, number in over.value.reached} == {
        (Measure.IMAGES, 8),
        (Measure.GPU_MS, 800),
    }
    assert used(store, tenant) == (8, 800, 1)
    assert store.get(holding(tenant, "k2", more).job_id) is None
    fitting = reservations(tenant, 2)
    assert store.create(holding(tenant, "k2", fitting), fitting) is None


def test_only_what_does_not_fit_is_named(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant, 8)
    store.create(holding(tenant, "k", taken), taken)
    images, jobs, gpu = reservations(tenant, 2)
    with pytest.raises(OverLimit) as over:
        store.create(holding(tenant, "k2", [images, jobs, gpu]), [replace(images, most=9), jobs, gpu])
    assert over.value.reached == [(replace(images, most=9), 8)]


@pytest.mark.parametrize(("images", "most"), [(1, 0), (11, 10)])
def test_what_does_not_fit_even_alone_is_never_counted(store: JobStore, tenant: str, images: int, most: int) -> None:
    taken = reservations(tenant, images, most=most)
    with pytest.raises(OverLimit) as over:
        store.create(holding(tenant, "k", taken), taken)
    assert {number for _, number in over.value.reached} == {0}
    assert used(store, tenant) == (0, 0, 0)


def test_a_job_that_is_there_is_the_answer_and_counts_once(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant, 10)
    record = holding(tenant, "k", taken)
    store.create(record, taken)
    for again in (taken, reservations(tenant, 1), reservations(tenant, 99), []):
        assert store.create(record, again) == record
    assert used(store, tenant) == (10, 1_000, 1)
    # Also where the job that was there counts nothing.
    plain = record_of(tenant, "plain")
    store.create(plain)
    assert store.create(plain, reservations(tenant, 1)) == plain
    assert used(store, tenant) == (10, 1_000, 1)


def test_an_end_gives_back_in_the_same_step(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant, 4)
    record = holding(tenant, "k", taken)
    store.create(record, taken)
    left = (Count(taken[0].count.counter, Measure.GPU_MS, 250),)
    ended = store.update(
        record.job_id,
        {"state": JobState.CANCELLED, "holds": left},
        when=OPEN_STATES,
        counts=[
            replace(taken[0].count, amount=-4),
            replace(taken[1].count, amount=-1),
            replace(taken[2].count, amount=-150),
        ],
    )
    assert ended == replace(record, state=JobState.CANCELLED, holds=left) == store.get(record.job_id)
    assert used(store, tenant) == (0, 250, 0)


def test_an_end_that_was_overtaken_gives_nothing_back(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant, 4)
    record = holding(tenant, "k", taken)
    store.create(record, taken)
    back = give_back(record)
    store.update(record.job_id, {"state": JobState.FAILED, "holds": ()}, when=OPEN_STATES, counts=back)
    for _ in range(2):
        with pytest.raises(Overtaken) as overtaken:
            store.update(record.job_id, {"state": JobState.CANCELLED, "holds": ()}, when=OPEN_STATES, counts=back)
        assert overtaken.value.record == replace(record, state=JobState.FAILED, holds=())
    assert used(store, tenant) == (0, 0, 0)
    with pytest.raises(Overtaken) as overtaken:
        store.update("job-aaaaaaaaaaaaaaaaaaaaaaaaaa", {"state": JobState.FAILED}, when=OPEN_STATES, counts=back)
    assert overtaken.value.record is None


def test_of_eight_ends_at_once_one_gives_back(store: JobStore, tenant: str) -> None:
    first, second = reservations(tenant, 4), reservations(tenant, 5)
    record = holding(tenant, "k", first)
    store.create(record, first)
    store.create(holding(tenant, "k2", second), second)

    def end(number: int) -> bool:
        state = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)[number % 3]
        try:
            store.update(record.job_id, {"state": state}, when=OPEN_STATES, counts=give_back(record))
        except Overtaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(end, range(8))).count(True) == 1
    assert used(store, tenant) == (5, 500, 1)


def test_more_than_was_reserved_may_be_added(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant, 10)
    record = holding(tenant, "k", taken)
    store.create(record, taken)
    store.update(
        record.job_id, {"state": JobState.SUCCEEDED}, when=OPEN_STATES, counts=[replace(taken[2].count, amount=5_000)]
    )
    assert used(store, tenant) == (10, 6_000, 1)


def test_a_counter_that_is_gone_or_too_low_stays_as_it_is(store: JobStore, tenant: str) -> None:
    taken = reservations(tenant, 2)
    record = holding(tenant, "k", taken)
    store.create(record, taken)
    gone = Count(f"{tenant}|gone|2026-11-20", Measure.IMAGES, -2)
    more_than_there_is = replace(taken[0].count, amount=-3)
    ended = store.update(
        record.job_id,
        {"state": JobState.FAILED},
        when=OPEN_STATES,
        counts=[gone, more_than_there_is, replace(taken[1].count, amount=-1), replace(taken[2].count, amount=-1)],
    )
    assert ended.state is JobState.FAILED
    assert used(store, tenant) == (2, 200, 0)
    assert store.usage([gone.counter]) == {}


def test_fifty_at_once_against_twenty_let_exactly_twenty_through(store: JobStore, tenant: str) -> None:
    def one(number: int) -> bool:
        taken = reservations(tenant, most=20)
        try:
            store.create(holding(tenant, f"k{number}", taken), taken)
        except OverLimit:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(50))).count(True) == 20
    assert used(store, tenant) == (20, 2_000, 20)


def test_the_counters_of_a_day_go_away_and_those_of_now_stay(aws: Clients, shared_tables: tuple[str, str]) -> None:
    store, tenant = DynamoJobStore(aws.of("dynamodb"), *shared_tables), f"T{uuid.uuid4().hex[:8]}"
    taken = reservations(tenant)
    store.create(holding(tenant, "k", taken), taken)
    items = [
        aws("dynamodb").get_item(TableName=shared_tables[1], Key={"counter": {"S": taken[index].count.counter}})["Item"]
        for index in (0, 1)
    ]
    assert items[0]["expires_at"] == {"N": str(int(EXPIRY.timestamp()))}
    assert "expires_at" not in items[1]


# ---------------------------------------------------------------- both stores do the same, whatever is asked of them

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["create", "end", "spend"]),
        st.integers(0, 3),
        st.integers(1, 4),
        st.sampled_from(["channel#C1", "channel#C2"]),
    ),
    max_size=10,
)


@settings(max_examples=20, deadline=None)
@given(OPERATIONS)
def test_the_fake_counts_as_dynamodb_does(
    aws: Clients, shared_tables: tuple[str, str], operations: list[tuple[str, int, int, str]]
) -> None:
    tenant = f"T{uuid.uuid4().hex[:10].upper()}"
    stores: list[JobStore] = [FakeJobStore(), DynamoJobStore(aws.of("dynamodb"), *shared_tables)]
    for operation, job, number, subject in operations:
        answers = [_do(store, tenant, operation, job, number, subject) for store in stores]
        assert answers[0] == answers[1]


def _do(store: JobStore, tenant: str, operation: str, job: int, number: int, subject: str) -> tuple[Any, Usage]:
    taken = reservations(tenant, number, most=6, subject=subject)
    record = holding(tenant, f"k{job}", taken)
    answer: Any = None
    try:
        if operation == "create":
            answer = store.create(record, taken)
        else:
            current = store.get(record.job_id)
            held = current.holds if current else record.holds
            amounts = [replace(count, amount=-count.amount if operation == "end" else number) for count in held]
            state = JobState.FAILED if operation == "end" else JobState.SUCCEEDED
            answer = store.update(record.job_id, {"state": state}, when=OPEN_STATES, counts=amounts)
    except OverLimit as over:
        answer = {(found.count, used) for found, used in over.reached}
    except Overtaken as overtaken:
        answer = overtaken.record
    counters = [
        f"{tenant}|{name}|{window}" for name in ("channel#C1", "channel#C2") for window in ("2026-11-23", "now")
    ]
    return answer, store.usage(counters)


# ---------------------------------------------------------------- DynamoDB's conflicts, which MiniStack does not have


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
    return ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]


def alone(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "UpdateItem")


class Troubled:
    """A client whose writes meet the given errors first, and then go through."""

    def __init__(self, client: Any, *errors: ClientError) -> None:
        self._client = client
        self.errors = list(errors)
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append(name)
            if self.errors and name in {"transact_write_items", "put_item", "update_item"}:
                raise self.errors.pop(0)
            return getattr(self._client, name)(**arguments)

        return call


class Time:
    """Goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


Trouble = Callable[..., tuple[DynamoJobStore, Troubled, Time]]


@pytest.fixture
def trouble(aws: Clients, shared_tables: tuple[str, str]) -> Trouble:
    def make(*errors: ClientError) -> tuple[DynamoJobStore, Troubled, Time]:
        client, time = Troubled(aws("dynamodb"), *errors), Time()
        return DynamoJobStore(lambda: client, *shared_tables, Patience(10.0, time, time.sleep)), client, time

    return make


PASSING = [
    cancelled("None", "TransactionConflict", "None"),
    cancelled("ThrottlingError", "None", "None"),
    cancelled("None", "ProvisionedThroughputExceeded", "TransactionConflict"),
    alone("TransactionInProgressException"),
    alone("ThrottlingException"),
]


def test_conflicts_are_waited_out_and_what_is_asked_for_happens_once(trouble: Trouble, tenant: str) -> None:
    store, client, time = trouble(*PASSING)
    taken = reservations(tenant, 3)
    assert store.create(holding(tenant, "k", taken), taken) is None
    assert client.calls == ["transact_write_items"] * 6
    assert used(store, tenant) == (3, 300, 1)
    assert len(time.pauses) == 5
    client.errors += PASSING
    record = holding(tenant, "k", taken)
    store.update(record.job_id, {"state": JobState.FAILED}, when=OPEN_STATES, counts=give_back(record))
    assert used(store, tenant) == (0, 0, 0)


def test_a_write_of_the_job_alone_waits_for_a_transaction_about_it(trouble: Trouble, tenant: str) -> None:
    store, client, _ = trouble(alone("TransactionConflictException"))
    record = record_of(tenant, "k")
    assert store.create(record) is None
    client.errors.append(alone("TransactionConflictException"))
    assert store.update(record.job_id, {"step": 1}, when=OPEN_STATES).step == 1
    # Where nothing is counted, there is no transaction.
    assert client.calls == ["put_item", "put_item", "update_item", "update_item"]


def test_pauses_are_random_and_grow_and_come_to_an_end(trouble: Trouble, tenant: str) -> None:
    store, client, time = trouble(*[cancelled("TransactionConflict")] * 10_000)
    taken = reservations(tenant)
    with pytest.raises(StoreBusy):
        store.create(holding(tenant, "k", taken), taken)
    assert 8.0 < time.now <= 10.0
    assert len(set(time.pauses)) == len(time.pauses)
    assert max(time.pauses[:3]) <= 0.08
    assert max(time.pauses) <= 0.6
    client.errors.clear()
    assert used(store, tenant) == (0, 0, 0)


def test_a_condition_that_does_not_hold_is_an_answer_at_once(trouble: Trouble, tenant: str) -> None:
    taken = reservations(tenant, 10)
    store, _, time = trouble(cancelled("None", "ConditionalCheckFailed", "TransactionConflict"))
    with pytest.raises(OverLimit):
        store.create(holding(tenant, "k", taken), taken)
    assert time.pauses == []


def test_a_job_that_the_refusal_does_not_mention_is_still_found(trouble: Trouble, tenant: str) -> None:
    taken = reservations(tenant)
    store, client, _ = trouble()
    record = holding(tenant, "k", taken)
    store.create(record, taken)
    client.errors.append(cancelled("None", "ConditionalCheckFailed", "None"))
    assert store.create(record, taken) == record


@pytest.mark.parametrize(
    "error", [cancelled("ValidationError", "None", "None"), alone("AccessDeniedException"), cancelled()]
)
def test_what_does_not_pass_is_raised(trouble: Trouble, tenant: str, error: ClientError) -> None:
    store, _, time = trouble(error)
    taken = reservations(tenant)
    with pytest.raises(ClientError) as raised:
        store.create(holding(tenant, "k", taken), taken)
    assert raised.value is error
    assert time.pauses == []


def test_an_end_is_as_it_was_made_even_if_it_has_changed_again(trouble: Trouble, tenant: str) -> None:
    taken = reservations(tenant)
    store, client, _ = trouble()
    record = holding(tenant, "k", taken)
    store.create(record, taken)
    get = store.get

    def late_get(job_id: str) -> JobRecord | None:
        store.get = get  # type: ignore[method-assign]
        store.update(job_id, {"state": JobState.DELETED, "due_at": None}, when={JobState.SUCCEEDED})
        return get(job_id)

    store.get = late_get  # type: ignore[method-assign]
    due_at = record.created_at + timedelta(minutes=1)
    ended = store.update(
        record.job_id, {"state": JobState.SUCCEEDED, "due_at": due_at}, when=OPEN_STATES, counts=give_back(record)
    )
    assert (ended.state, ended.due_at) == (JobState.SUCCEEDED, due_at)
    assert "get_item" in client.calls
