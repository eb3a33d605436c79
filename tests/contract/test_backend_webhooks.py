"""The contracts of `WebhookStore`, `Vault` and `DeliveryQueue`, over the fakes and over DynamoDB, KMS and SQS."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_webhooks import DynamoWebhookStore
from backend_lambda.aws.kms_vault import KmsVault
from backend_lambda.aws.sqs_deliveries import SqsDeliveryQueue
from backend_lambda.contract.webhooks import DisabledBecause, EventName, Trouble, TroubleCode
from backend_lambda.webhooks.ports import CannotOpen, DeliveryQueue, TooManyWebhooks, Vault, WebhookStore
from backend_lambda.webhooks.record import Delivery, PreviousSecret, WebhookRecord, make_webhook_id
from tests.fakes.backend import NOON, FakeClock
from tests.fakes.webhooks import FakeDeliveryQueue, FakeVault, FakeWebhookStore

LATER = NOON + timedelta(hours=1, microseconds=5)
TROUBLE = Trouble(at=LATER, code=TroubleCode.STATUS, status=503)


def record_of(number: int = 0, tenant: str = "T1", **more: object) -> WebhookRecord:
    url = f"https://hooks.example.com/{number}"
    record = WebhookRecord(
        tenant=tenant,
        webhook_id=make_webhook_id(tenant, url),
        registration=uuid.uuid4().hex,
        url=url,
        events=(EventName.JOB_SUCCEEDED, EventName.JOB_FAILED),
        secret=b"\x00sealed\xff",
        registered_at=NOON + timedelta(seconds=number),
        registered_by="U1",
    )
    return replace(record, **more)  # type: ignore[arg-type]


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> WebhookStore:
    if request.param == "fake":
        return FakeWebhookStore()
    aws: Clients = request.getfixturevalue("aws")
    return DynamoWebhookStore(aws.of("dynamodb"), make_table(aws))


def make_table(aws: Clients) -> str:
    """A table as the template makes it."""
    name = f"webhooks-{uuid.uuid4().hex[:8]}"
    aws("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "tenant", "AttributeType": "S"},
            {"AttributeName": "webhook", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "tenant", "KeyType": "HASH"},
            {"AttributeName": "webhook", "KeyType": "RANGE"},
        ],
    )
    return name


def test_what_is_created_is_found_by_its_tenant(store: WebhookStore) -> None:
    first, second, theirs = record_of(1), record_of(0), record_of(0, "T2")
    for record in (first, second, theirs):
        assert store.create(record, 5)
    assert store.get("T1", first.webhook_id) == first
    assert store.get("T2", first.webhook_id) is None
    assert store.get("T1", "wh-unknown") is None
    assert store.get("T1", "#count") is None
    assert store.get("T1", "") is None
    assert store.of_tenant("T1") == [second, first]
    assert store.of_tenant("T2") == [theirs]
    assert store.of_tenant("T") == []


def test_everything_in_a_record_comes_back(store: WebhookStore) -> None:
    whole = record_of(
        previous=(PreviousSecret(b"before", LATER), PreviousSecret(b"long before", NOON)),
        failures=3,
        delivered_at=NOON,
        trouble=TROUBLE,
        disabled_at=LATER,
        disabled_because=DisabledBecause.GONE,
    )
    store.create(whole, 5)
    assert store.get("T1", whole.webhook_id) == whole


def test_what_exists_is_not_created_again(store: WebhookStore) -> None:
    first = record_of()
    assert store.create(first, 1)
    assert not store.create(record_of(), 1)
    assert store.get("T1", first.webhook_id) == first


def test_there_are_never_more_than_the_most(store: WebhookStore) -> None:
    records = [record_of(number) for number in range(4)]
    for record in records[:3]:
        store.create(record, 3)
    with pytest.raises(TooManyWebhooks):
        store.create(records[3], 3)
    assert store.create(record_of(0, "T2"), 3)
    assert store.delete("T1", records[0].webhook_id) == records[0]
    assert store.delete("T1", records[0].webhook_id) is None
    assert store.create(records[3], 3)
    with pytest.raises(TooManyWebhooks):
        store.create(records[0], 3)
    assert len(store.of_tenant("T1")) == 3


def test_there_are_never_more_than_the_most_however_many_come_at_once(store: WebhookStore) -> None:
    def create(number: int) -> bool:
        try:
            return store.create(record_of(number), 5)
        except TooManyWebhooks:
            return False

    with ThreadPoolExecutor(12) as pool:
        created = list(pool.map(create, range(12)))
    assert sum(created) == len(store.of_tenant("T1")) == 5


def test_a_registration_takes_the_place_of_the_one_that_was_read(store: WebhookStore) -> None:
    first, second, late = record_of(), record_of(), record_of()
    store.create(first, 5)
    assert store.replace(second, first)
    assert not store.replace(late, first)
    assert store.get("T1", first.webhook_id) == second
    store.delete("T1", first.webhook_id)
    assert not store.replace(late, second)
    assert store.get("T1", first.webhook_id) is None


def test_what_is_deleted_is_handed_back_once(store: WebhookStore) -> None:
    record = record_of()
    store.create(record, 5)
    assert store.delete("T2", record.webhook_id) is None
    assert store.delete("T1", record.webhook_id) == record
    assert store.delete("T1", record.webhook_id) is None
    assert store.delete("T1", "#count") is None
    assert store.of_tenant("T1") == []


def test_tries_are_counted_until_one_goes_well(store: WebhookStore) -> None:
    record = record_of()
    store.create(record, 5)
    store.failed(record, TROUBLE)
    store.failed(record, TROUBLE)
    assert store.get("T1", record.webhook_id) == replace(record, failures=2, trouble=TROUBLE)
    store.delivered(record, LATER)
    assert store.get("T1", record.webhook_id) == replace(record, delivered_at=LATER)
    store.failed(record, TROUBLE)
    assert store.get("T1", record.webhook_id) == replace(record, delivered_at=LATER, failures=1, trouble=TROUBLE)


def test_it_is_disabled_once(store: WebhookStore) -> None:
    record = record_of()
    store.create(record, 5)
    assert store.disable(record, DisabledBecause.GONE, LATER, unless_delivered_since=None)
    assert not store.disable(record, DisabledBecause.FAILING, LATER, unless_delivered_since=NOON)
    found = store.get("T1", record.webhook_id)
    assert found == replace(record, disabled_at=LATER, disabled_because=DisabledBecause.GONE)


def test_it_is_not_disabled_where_a_try_went_well_since(store: WebhookStore) -> None:
    record = record_of()
    store.create(record, 5)
    store.delivered(record, LATER)
    for since in (NOON, LATER):
        assert not store.disable(record, DisabledBecause.FAILING, LATER, unless_delivered_since=since)
    assert store.disable(
        record, DisabledBecause.FAILING, LATER, unless_delivered_since=LATER + timedelta(microseconds=1)
    )


def test_what_is_learnt_of_an_older_registration_does_not_count(store: WebhookStore) -> None:
    old, new = record_of(), record_of()
    store.create(old, 5)
    store.replace(new, old)
    store.delivered(old, LATER)
    store.failed(old, TROUBLE)
    assert not store.disable(old, DisabledBecause.GONE, LATER, unless_delivered_since=None)
    assert store.get("T1", old.webhook_id) == new
    store.delete("T1", new.webhook_id)
    store.failed(new, TROUBLE)
    store.delivered(new, LATER)
    assert store.get("T1", new.webhook_id) is None


# ---------------------------------------------------------------- the vault


@pytest.fixture(params=["fake", "kms"])
def vault(request: pytest.FixtureRequest) -> Vault:
    if request.param == "fake":
        return FakeVault()
    aws: Clients = request.getfixturevalue("aws")
    return KmsVault(aws.of("kms"), make_key(aws))


def make_key(aws: Clients) -> str:
    return str(aws("kms").create_key()["KeyMetadata"]["Arn"])


def test_a_secret_is_opened_for_its_tenant_alone(vault: Vault) -> None:
    sealed = vault.seal("whsec_ü", "T1")
    assert vault.open(sealed, "T1") == "whsec_ü"
    for other in ("T2", "", "T"):
        with pytest.raises(CannotOpen):
            vault.open(sealed, other)


def test_nothing_is_sealed_the_same_way_twice(vault: Vault) -> None:
    assert len({vault.seal("whsec_a", "T1") for _ in range(5)}) == 5


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x01\x00\x00", b"\x02\x00\x01xyz", b"\x01\xff\xffabc"])
def test_what_was_never_sealed_is_not_opened(vault: Vault, damaged: bytes) -> None:
    with pytest.raises(CannotOpen):
        vault.open(damaged, "T1")


def test_what_kms_sealed_hides_the_secret_and_takes_no_change(aws: Clients) -> None:
    key = make_key(aws)
    vault = KmsVault(aws.of("kms"), key)
    sealed = vault.seal("whsec_a-secret-that-is-long", "T1")
    assert b"secret" not in sealed
    for position in (0, len(sealed) - 1, len(sealed) - 20, len(sealed) - 45):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(CannotOpen):
            vault.open(bytes(changed), "T1")
    other_key = KmsVault(aws.of("kms"), make_key(aws))
    with pytest.raises(CannotOpen):
        other_key.open(sealed, "T1")


def test_the_tenant_is_kms_own_context(aws: Clients) -> None:
    """So CloudTrail names the tenant, and a key policy could speak of it."""
    vault = KmsVault(aws.of("kms"), make_key(aws))
    sealed = vault.seal("whsec_a", "T1")
    wrapped = sealed[3 : 3 + int.from_bytes(sealed[1:3], "big")]
    kms = aws("kms")
    assert len(kms.decrypt(CiphertextBlob=wrapped, EncryptionContext={"tenant": "T1"})["Plaintext"]) == 32
    for context in ({}, {"tenant": "T2"}, {"tenant": "T1", "more": "x"}):
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(CiphertextBlob=wrapped, EncryptionContext=context)


# ---------------------------------------------------------------- the queue


@dataclass
class Queue:
    """A queue, and how its function receives: receipt and delivery of all that is to be seen."""

    port: DeliveryQueue
    receive: Callable[[], list[tuple[str, Delivery]]]
    let_pass: Callable[[float], None]


@pytest.fixture(params=["fake", "sqs"])
def queue(request: pytest.FixtureRequest) -> Queue:
    if request.param == "fake":
        clock = FakeClock()
        fake = FakeDeliveryQueue(clock)
        return Queue(
            fake,
            lambda: [(receipt, delivery) for receipt, delivery, _ in fake.receive()],
            lambda seconds: clock.go_on(timedelta(seconds=seconds)),
        )
    aws: Clients = request.getfixturevalue("aws")
    url = aws("sqs").create_queue(QueueName=f"webhooks-{uuid.uuid4().hex[:8]}")["QueueUrl"]

    def receive() -> list[tuple[str, Delivery]]:
        found: list[tuple[str, Delivery]] = []
        while (
            messages := aws("sqs")
            .receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=360, AttributeNames=["MessageGroupId"]
            )
            .get("Messages")
        ):
            for message in messages:
                delivery = Delivery.model_validate_json(message["Body"])
                assert message["Attributes"]["MessageGroupId"] == delivery.tenant
                found.append((message["ReceiptHandle"], delivery))
        return found

    return Queue(SqsDeliveryQueue(aws.of("sqs"), url), receive, time.sleep)


def deliveries_of(count: int) -> list[Delivery]:
    return [
        Delivery(tenant="T1", webhook_id=f"wh-{index}", message_id="msg_1", body=json.dumps({"ü": "\x00"}))
        for index in range(count)
    ]


def test_what_is_put_is_received_whole(queue: Queue) -> None:
    queue.port.put([])
    queue.port.put(deliveries_of(23))
    received = [delivery for _, delivery in queue.receive()]
    assert sorted(received, key=lambda delivery: int(delivery.webhook_id[3:])) == deliveries_of(23)
    assert queue.receive() == []


def test_what_is_postponed_comes_again_and_not_before(queue: Queue) -> None:
    queue.port.put(deliveries_of(2))
    (soon, first), (later, _) = queue.receive()
    queue.port.postpone(soon, timedelta(seconds=1))
    queue.port.postpone(later, timedelta(hours=11))
    assert queue.receive() == []
    queue.let_pass(1.1)
    assert [delivery for _, delivery in queue.receive()] == [first]


def test_after_no_time_it_comes_at_once(queue: Queue) -> None:
    queue.port.put(deliveries_of(1))
    [(receipt, _)] = queue.receive()
    queue.port.postpone(receipt, timedelta())
    assert len(queue.receive()) == 1
