"""The bot's records: one suite over the fake and over DynamoDB on MiniStack."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from bot.aws.clients import AwsClients
from bot.aws.dynamo_record_store import DynamoRecordStore
from bot.leases import LeaseHeld, LeaseLost, claim
from bot.ports.records import Record, RecordStore
from bot.system_clock import SystemClock
from tests.fakes.bot import FakeClock, FakeRecordStore

LATER = int(time.time()) + 3_600


@pytest.fixture(scope="module")
def bot_clients(ministack_url: str) -> Iterator[AwsClients]:
    """The bot's own clients, on MiniStack; the environment is as it was before, once the module is through."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", ministack_url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        clients = AwsClients()
        for service in ("dynamodb", "sqs", "sts", "secretsmanager", "s3"):
            clients.get(service)
        yield clients


@pytest.fixture(scope="module")
def dynamo_store(bot_clients: AwsClients) -> DynamoRecordStore:
    table = f"bot-{uuid.uuid4().hex[:8]}"
    bot_clients.get("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return DynamoRecordStore(bot_clients, table)


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> RecordStore:
    return FakeRecordStore() if request.param == "fake" else request.getfixturevalue("dynamo_store")


@pytest.fixture
def key() -> str:
    return f"request#{uuid.uuid4().hex}"


def test_what_is_not_there_is_none(store: RecordStore, key: str) -> None:
    assert store.get(key) is None
    assert store.replace(key, {}, 1, LATER) is False
    assert store.get(key) is None


def test_a_key_is_created_once(store: RecordStore, key: str) -> None:
    assert store.create(key, {"who": "first"}, LATER)
    assert not store.create(key, {"who": "second"}, LATER)
    assert store.get(key) == Record({"who": "first"}, 1)


def test_json_comes_back_as_it_was(store: RecordStore, key: str) -> None:
    data = {
        "text": "é 👩‍🚀 \" ' \\ \u2028",
        "list": [1, 2.5, None, True],
        "at": 1764000000.123456,
        "deep": {"a": {}},
        "": "",
    }
    assert store.create(key, data, LATER)
    assert store.get(key) == Record(data, 1)


def test_a_replacement_needs_the_newest_version(store: RecordStore, key: str) -> None:
    store.create(key, {"n": 1}, LATER)
    assert store.replace(key, {"n": 2}, 1, LATER)
    assert not store.replace(key, {"n": 3}, 1, LATER)
    assert not store.replace(key, {"n": 3}, 3, LATER)
    assert store.get(key) == Record({"n": 2}, 2)


def test_of_many_at_once_one_wins(store: RecordStore, key: str) -> None:
    store.create(key, {"winner": None}, LATER)
    won: list[int] = []
    start = threading.Barrier(6)

    def race(number: int) -> None:
        start.wait()
        if store.replace(key, {"winner": number}, 1, LATER):
            won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1 and store.get(key) == Record({"winner": won[0]}, 2)


def test_work_is_claimed_by_one_and_taken_over_after_its_lease(store: RecordStore, key: str) -> None:
    clock = FakeClock()
    first = claim(store, clock, key, "message-1", team="T1")
    assert first is not None and first.is_first_try and first.data["team"] == "T1"
    assert claim(store, clock, key, "message-2") is None
    with pytest.raises(LeaseHeld):
        claim(store, clock, key, "message-1")

    clock.sleep(91)
    second = claim(store, clock, key, "message-2")
    assert second is not None and not second.is_first_try and second.data["team"] == "T1"
    with pytest.raises(LeaseLost):
        first.note(late=True)
    second.finish(result="x")
    assert claim(store, clock, key, "message-3") is None


def test_a_put_whose_answer_was_lost_is_known_to_have_worked(dynamo_store: DynamoRecordStore, key: str) -> None:
    """botocore sends it again by itself, and the condition then meets the first one's effect."""
    assert dynamo_store.create(key, {"n": 1}, LATER)
    assert dynamo_store.create(key, {"n": 1}, LATER), "the very same put"
    assert not dynamo_store.create(key, {"n": 2}, LATER)


def test_items_expire(dynamo_store: DynamoRecordStore, bot_clients: AwsClients, key: str) -> None:
    dynamo_store.create(key, {}, LATER)
    item = bot_clients.get("dynamodb").get_item(TableName=dynamo_store._table, Key={"pk": {"S": key}})["Item"]
    assert item["expires_at"] == {"N": str(LATER)}


def test_real_time_moves() -> None:
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.001)
    assert clock.now() > before
