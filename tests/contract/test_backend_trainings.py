"""Trainings in the table and the bucket: one suite over the fakes and over the adapters on MiniStack."""

from __future__ import annotations

import hashlib
import urllib.request
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.aws.dynamodb_trainings import DynamoTrainingStore
from backend_lambda.aws.s3_training_files import S3TrainingFiles
from backend_lambda.callers import Caller
from backend_lambda.contract.access import AuditEntry
from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import PictureState, TrainingPolicy
from backend_lambda.training_ports import (
    ReadTooLarge,
    TooManyTrainings,
    TrainingFiles,
    TrainingOvertaken,
    TrainingStore,
)
from backend_lambda.training_record import PictureRecord, TrainingRecord, make_training_id
from tests.contract.conftest import make_access_tables
from tests.fakes.backend import ADA, NOON, FakeClock
from tests.fakes.backend_access import FakeAccessStore
from tests.fakes.backend_trainings import FakeTrainingFiles, FakeTrainings, FakeTrainingStore

TENANT = ADA.tenant
Audit = Callable[[str], list[AuditEntry]]


@pytest.fixture(scope="module")
def trainings_table(aws: Clients) -> str:
    """A table as the template makes it."""
    name = f"trainings-{uuid.uuid4().hex[:8]}"
    aws("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("training_id", "tenant", "created_order", "unsettled", "due_at")
        ],
        KeySchema=[{"AttributeName": "training_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_tenant",
                "KeySchema": [
                    {"AttributeName": "tenant", "KeyType": "HASH"},
                    {"AttributeName": "created_order", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["document", "state", "member"]},
            },
            {
                "IndexName": "unsettled",
                "KeySchema": [
                    {"AttributeName": "unsettled", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
    )
    return name


@pytest.fixture(params=["fake", "dynamodb"])
def kept(request: pytest.FixtureRequest) -> tuple[TrainingStore, Audit]:
    """A store, and what it has written to the audit trail of a tenant."""
    if request.param == "fake":
        access = FakeAccessStore()
        return FakeTrainingStore(access), lambda tenant: access.audit(tenant, limit=9, after=None, member=None).records
    aws: Clients = request.getfixturevalue("aws")
    grants, audit = make_access_tables(aws)
    store = DynamoTrainingStore(aws.of("dynamodb"), request.getfixturevalue("trainings_table"), audit)
    trail = DynamoAccessStore(aws.of("dynamodb"), grants, audit)
    return store, lambda tenant: trail.audit(tenant, limit=9, after=None, member=None).records


@pytest.fixture
def store(kept: tuple[TrainingStore, Audit]) -> TrainingStore:
    return kept[0]


@pytest.fixture
def tenant() -> str:
    """Of one test's own."""
    return f"T{uuid.uuid4().hex[:10].upper()}"


def made(tenant: str, key: str = "a", **changes: object) -> TrainingRecord:
    """A draft as the use cases make it."""
    fakes = FakeTrainings()
    draft = fakes.record(fakes.draft(Caller(tenant, "U0ADA", ADA.arn)))
    return draft.model_copy(update={"training_id": make_training_id(tenant, "U0ADA", key)} | changes)


def entry(name: str) -> AuditEntry:
    return AuditEntry(id=f"audit-{name * 16}"[:22], at=NOON, member="U0ADA", principal="arn", action="x", subject="y")


def test_a_record_comes_back_as_it_was(store: TrainingStore, tenant: str) -> None:
    picture = PictureRecord(
        picture_id="pic-a",
        key="a",
        filename="ü.png",
        bytes=3,
        caption="zblx 🎈",
        added_at=NOON,
        state=PictureState.ACCEPTED,
    )
    record = made(tenant, pictures=(picture,), observed_at=NOON + timedelta(microseconds=1))
    assert store.create(record, most_open=9) is None
    assert store.get(record.training_id) == record
    assert store.create(made(tenant, name="other"), most_open=9) == record
    assert store.get("trn-" + "a" * 26) is None
    assert store.get("") is None
    assert store.get(f"open#{tenant}") is None


def test_only_what_was_read_is_replaced(store: TrainingStore, tenant: str) -> None:
    record = made(tenant)
    store.create(record, most_open=9)
    saved = store.save(record.model_copy(update={"licence_note": "ours"}))
    assert (saved.version, saved.licence_note) == (1, "ours")
    with pytest.raises(TrainingOvertaken) as overtaken:
        store.save(record)
    assert overtaken.value.record == saved
    with pytest.raises(TrainingOvertaken) as overtaken:
        store.save(made(tenant, "never made"))
    assert overtaken.value.record is None


def test_of_many_writers_at_once_one_is_first(store: TrainingStore, tenant: str) -> None:
    record = made(tenant)
    store.create(record, most_open=9)

    def write(index: int) -> bool:
        try:
            store.save(record.model_copy(update={"licence_note": str(index), "state": TrainingState.CANCELLED}))
        except TrainingOvertaken:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(write, range(6))).count(True) == 1


def test_a_change_and_its_audit_record_are_one(kept: tuple[TrainingStore, Audit], tenant: str) -> None:
    store, audit = kept
    record = made(tenant)
    store.create(record, most_open=9)
    store.save(record, entry("a"))
    with pytest.raises(TrainingOvertaken):
        store.save(record, entry("b"))
    assert audit(tenant) == [entry("a")]
    assert store.policy(tenant) == TrainingPolicy()
    policy = TrainingPolicy(approvals_place="C0TRAIN", keep_dataset_days=3)
    store.put_policy(tenant, policy, entry("c"))
    assert store.policy(tenant) == policy
    assert store.policy("T0NOBODY") == TrainingPolicy()
    assert len(audit(tenant)) == 2


def test_so_many_may_be_open_and_those_that_end_make_room(store: TrainingStore, tenant: str) -> None:
    records = [made(tenant, str(index)) for index in range(4)]
    for record in records[:3]:
        assert store.create(record, most_open=3) is None
    with pytest.raises(TooManyTrainings):
        store.create(records[3], most_open=3)
    # One that is there is answered all the same.
    assert store.create(records[0], most_open=3) == records[0]
    store.create(made(f"{tenant}2"), most_open=3)
    ended = store.save(records[0].model_copy(update={"state": TrainingState.CANCELLED}))
    store.save(ended)
    assert store.create(records[3], most_open=3) is None
    with pytest.raises(TooManyTrainings):
        store.create(made(tenant, "more"), most_open=3)


def test_of_many_that_begin_at_once_no_more_than_allowed_are_open(store: TrainingStore, tenant: str) -> None:
    def begin(index: int) -> bool:
        try:
            return store.create(made(tenant, str(index)), most_open=3) is None
        except TooManyTrainings:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(begin, range(8))).count(True) == 3


def test_lists_are_newest_first_in_pages_and_without_pictures(store: TrainingStore, tenant: str) -> None:
    picture = PictureRecord(picture_id="pic-a", key="a", filename="a", bytes=3, caption="zblx", added_at=NOON)
    records = []
    for index in range(5):
        owner = Owner(tenant=tenant, member="U0ADA" if index % 2 else "U0BOB")
        record = made(tenant, str(index), pictures=(picture,), owner=owner, created_at=NOON + timedelta(seconds=index))
        store.create(record, most_open=9)
        records.append(record)
    store.create(made(f"{tenant}X"), most_open=9)
    store.save(records[2].model_copy(update={"state": TrainingState.CANCELLED}))
    ids = [record.training_id for record in reversed(records)]
    seen, after = [], None
    while True:
        page = store.page(tenant, limit=2, after=after, state=None, member=None)
        seen += page.records
        after = page.after
        if after is None:
            break
    assert [record.training_id for record in seen] == ids
    assert all(record.pictures == () for record in seen)
    bobs = store.page(tenant, limit=9, after=None, state=None, member="U0BOB").records
    assert [record.training_id for record in bobs] == [records[index].training_id for index in (4, 2, 0)]
    ended = store.page(tenant, limit=9, after=None, state=TrainingState.CANCELLED, member=None).records
    assert [record.training_id for record in ended] == [records[2].training_id]


def test_what_is_due_is_found_until_it_is_settled(store: TrainingStore, tenant: str) -> None:
    early, late = made(tenant, "1", due_at=NOON - timedelta(days=9)), made(tenant, "2", due_at=NOON - timedelta(days=8))
    for record in (late, early):
        store.create(record, most_open=9)

    def due() -> list[str]:
        return [one for one in store.due(NOON - timedelta(days=7), 50) if one in {early.training_id, late.training_id}]

    assert due() == [early.training_id, late.training_id]
    store.save(early.model_copy(update={"due_at": None}))
    store.save(late.model_copy(update={"due_at": NOON}))
    assert due() == []


@pytest.fixture(params=["fake", "s3"])
def files(request: pytest.FixtureRequest) -> TrainingFiles:
    if request.param == "fake":
        return FakeTrainingFiles(FakeClock())
    aws: Clients = request.getfixturevalue("aws")
    return S3TrainingFiles(aws.of("s3"), request.getfixturevalue("bucket"), timedelta(minutes=15))


def test_objects_are_read_measured_and_deleted(files: TrainingFiles, tenant: str) -> None:
    prefix = f"tenants/{tenant}/trainings/trn-a/"
    content = bytes(range(256)) * 9_000
    files.write(f"{prefix}dataset/a.png", content, "image/png")
    files.write(f"{prefix}b.png", b"b", "image/png")
    files.write(f"tenants/{tenant}/trainings/trn-ab/c.png", b"c", "image/png")
    found = files.read(f"{prefix}dataset/a.png", len(content))
    assert found is not None and found.content == content and found.written_at.tzinfo is not None
    assert found.written_at.astimezone(UTC) == found.written_at
    with pytest.raises(ReadTooLarge):
        files.read(f"{prefix}dataset/a.png", len(content) - 1)
    digest = files.digest(f"{prefix}dataset/a.png")
    assert digest is not None
    assert (digest.sha256, digest.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert files.read(f"{prefix}none", 9) is None and files.digest(f"{prefix}none") is None
    files.delete(f"{prefix}b.png", f"{prefix}none")
    files.delete()
    assert files.read(f"{prefix}b.png", 9) is None
    files.delete_below(prefix)
    assert files.read(f"{prefix}dataset/a.png", len(content)) is None
    assert files.read(f"tenants/{tenant}/trainings/trn-ab/c.png", 9) is not None


@pytest.mark.parametrize(
    "prefix",
    ["", "tenants/", "tenants/T1/", "tenants/T1/trainings/", "tenants/T1/jobs/j/", "tenants/T1/trainings/trn-a"],
)
def test_more_than_one_trainings_files_are_never_deleted_at_once(files: TrainingFiles, prefix: str) -> None:
    with pytest.raises(ValueError, match="one training"):
        files.delete_below(prefix)


def test_uploads_are_deleted_too(files: TrainingFiles, tenant: str) -> None:
    key = f"uploads/tenants/{tenant}/trainings/trn-a/pic-a"
    files.write(key, b"x", "")
    files.delete_below(f"uploads/tenants/{tenant}/trainings/trn-a/")
    assert files.read(key, 9) is None


def test_an_upload_says_how_it_is_made(files: TrainingFiles) -> None:
    upload = files.upload("uploads/tenants/T1/trainings/trn-a/pic-a", 5)
    assert upload.headers == {"Content-Type": "application/octet-stream", "Content-Length": "5"}
    assert "uploads/tenants/T1/trainings/trn-a/pic-a" in upload.url
    assert upload.expires_at.tzinfo is not None


def test_an_upload_arrives_and_a_link_fetches_it(aws: Clients, bucket: str) -> None:
    files = S3TrainingFiles(aws.of("s3"), bucket, timedelta(minutes=15))
    upload = files.upload("uploads/tenants/T1/trainings/trn-a/pic-b", 5)
    # The length and the type are part of what is signed: S3 refuses another.
    assert "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost" in upload.url
    assert "checksum" not in upload.url.lower()
    put = urllib.request.Request(upload.url, data=b"12345", headers=upload.headers, method="PUT")
    with urllib.request.urlopen(put, timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(files.link("uploads/tenants/T1/trainings/trn-a/pic-b"), timeout=10) as answer:
        assert answer.read() == b"12345"
