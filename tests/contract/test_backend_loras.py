"""The contracts of `LoraStore` and `LoraFiles`, over the fakes and over DynamoDB and S3."""

from __future__ import annotations

import base64
import hashlib
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_loras import DynamoLoraStore
from backend_lambda.aws.s3_loras import S3LoraFiles
from backend_lambda.contract.loras import ChangeLora, LoraScope
from backend_lambda.lora_record import DoomedFiles, LoraRecord, LoraUploadRecord, Registration
from backend_lambda.lora_store import FileChanged, LoraFiles, LoraOvertaken, LoraStore, StoredFile
from backend_lambda.ports import LoraPorts, StoreBusy
from backend_lambda.usecases.change_lora import change_lora
from backend_lambda.usecases.refusals import LoraNameTaken, LoraNotFound
from backend_lambda.usecases.register_lora import Registry
from tests.fakes.backend import ADA, NOON, FakeBackend, FakePictureStore
from tests.fakes.loras import FakeLoraFiles, FakeLoraStore, lora_of, trained, version_of

UPLOAD = LoraUploadRecord(
    upload_id="upl-1",
    request_id="r" * 26,
    fingerprint="f" * 64,
    number=3,
    model="tiny",
    bytes=77,
    trigger=None,
    licence_note="ü",
    asked_at=NOON + timedelta(microseconds=5),
)


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> LoraStore:
    if request.param == "fake":
        return FakeLoraStore()
    aws: Clients = request.getfixturevalue("aws")
    return DynamoLoraStore(aws.of("dynamodb"), make_loras_table(aws))


def make_loras_table(aws: Clients) -> str:
    """A table as the template makes it."""
    name = f"loras-{uuid.uuid4().hex[:8]}"
    aws("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "tenant", "AttributeType": "S"},
            {"AttributeName": "entry", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "tenant", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
    )
    return name


# ---------------------------------------------------------------- the store


def test_a_name_that_was_never_used_is_nobodys(store: LoraStore) -> None:
    assert store.get("T1", "mascot") == LoraRecord("T1", "mascot")
    assert store.page("T1", limit=10, after=None).records == []


def test_everything_in_a_record_comes_back(store: LoraStore) -> None:
    whole = lora_of("mascot", version_of(1), version_of(2, "trn-two", kind=None, settings=None), upload=UPLOAD)
    whole = replace(whole, scope=LoraScope.CHANNEL, channel="C1", is_retired=True, last_number=3)
    store.write(whole)
    assert store.get("T0EASEL", "mascot") == replace(whole, revision=1)
    store.write(replace(whole, revision=1, upload=None))
    assert store.get("T0EASEL", "mascot") == replace(whole, revision=2, upload=None)


def test_of_a_hundred_that_write_at_once_one_does(store: LoraStore) -> None:
    def write(number: int) -> bool:
        try:
            store.write(lora_of(owner=f"U{number}"))
        except LoraOvertaken:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(write, range(20))) == 1
    assert store.get("T0EASEL", "mascot").revision == 1
    with pytest.raises(LoraOvertaken):
        store.write(lora_of(revision=2))


def test_all_of_a_write_is_done_or_nothing(store: LoraStore) -> None:
    store.write(lora_of("one"), lora_of("two"))
    doomed = DoomedFiles("T0EASEL", "del-1", ("k",))
    registration = Registration("T0EASEL", "trn-1", 1)
    with pytest.raises(LoraOvertaken):
        store.write(lora_of("three"), lora_of("two"), registration=registration, doomed=doomed)
    assert store.get("T0EASEL", "three").revision == 0
    assert store.registered("T0EASEL", "trn-1") is None
    assert store.doomed("T0EASEL") == []
    store.write(lora_of("three"), lora_of("two", revision=1), registration=registration, doomed=doomed)
    assert store.registered("T0EASEL", "trn-1") == registration
    assert store.registered("T0OTHER", "trn-1") is None
    assert store.doomed("T0EASEL") == [doomed]


def test_a_training_is_registered_once(store: LoraStore) -> None:
    registration = Registration("T0EASEL", "trn-1", 1)
    store.write(lora_of("one"), registration=registration)
    with pytest.raises(LoraOvertaken):
        store.write(lora_of("two"), registration=replace(registration, number=2))
    assert store.registered("T0EASEL", "trn-1") == registration
    assert store.get("T0EASEL", "two").revision == 0


def test_what_is_deleted_is_forgotten(store: LoraStore) -> None:
    doomed = [DoomedFiles("T0EASEL", f"del-{number}", ("a", "b/ü")) for number in range(3)]
    for index, one in enumerate(doomed):
        store.write(lora_of(f"lora-{index}"), doomed=one)
    store.forget(doomed[1])
    store.forget(doomed[1])
    assert sorted(store.doomed("T0EASEL"), key=lambda one: one.id) == [doomed[0], doomed[2]]
    assert store.doomed("T0OTHER") == []


def test_pages_have_a_tenants_listed_loras_by_name(store: LoraStore) -> None:
    names = ["a", "a-b", "a0", "ab", "b", "z" * 32, "0", "0-"]
    for name in names:
        store.write(lora_of(name))
        store.write(lora_of(name, tenant="T0OTHER"))
    store.write(LoraRecord("T0EASEL", "a1", last_number=3))
    store.write(
        LoraRecord("T0EASEL", "a2", owner="U1", upload=UPLOAD), registration=Registration("T0EASEL", "trn-1", 1)
    )
    for limit in (1, 3, 100):
        found: list[str] = []
        after: str | None = None
        while True:
            page = store.page("T0EASEL", limit=limit, after=after)
            assert len(page.records) <= limit
            assert {record.tenant for record in page.records} <= {"T0EASEL"}
            found += [record.name for record in page.records]
            after = page.after
            if after is None:
                break
        assert found == sorted(names)


def test_a_lora_with_all_its_versions_fits_into_an_item(store: LoraStore) -> None:
    versions = [version_of(number, f"trn-{number:026}", licence_note="ü" * 200) for number in range(1, 51)]
    store.write(lora_of("mascot", *versions))
    assert store.get("T0EASEL", "mascot").versions == tuple(versions)


def registry_of(store: LoraStore, files: FakeLoraFiles) -> LoraPorts:
    backend = FakeBackend()
    return LoraPorts(store, files, backend.catalog, backend.access, backend.clock, backend.moderation)


def test_of_many_that_take_a_name_at_once_one_gets_it(store: LoraStore) -> None:
    ports = registry_of(store, FakeLoraFiles(FakePictureStore()))
    for number in range(8):
        store.write(lora_of(f"lora-{number}", version_of(1, f"trn-{number}")))

    def rename(number: int) -> bool:
        try:
            change_lora(ADA, f"lora-{number}", ChangeLora(name="crown"), ports)
        except (LoraNameTaken, StoreBusy):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(rename, range(8))) == 1
    listed = store.page("T0EASEL", limit=99, after=None).records
    assert len(listed) == 8
    assert {version.origin for record in listed for version in record.versions} == {f"trn-{n}" for n in range(8)}


def test_trainings_that_end_while_their_lora_is_renamed_and_changed_are_all_listed_once(store: LoraStore) -> None:
    files = FakeLoraFiles(FakePictureStore())
    ports = registry_of(store, files)
    registry = Registry(store, files)
    registry.register(trained(files.pictures))

    def again(attempt: Callable[[], object]) -> None:
        """Whoever is too often overtaken comes again, as a queue's message and a client do."""
        while True:
            try:
                attempt()
                return
            except StoreBusy:
                continue
            except LoraNotFound:
                return

    made = [trained(files.pictures, training_id=f"trn-{number}") for number in range(6)]
    work: list[Callable[[], object]] = [partial(registry.register, one) for one in made for _ in range(2)]
    work += [
        partial(change_lora, ADA, "mascot", ChangeLora(name="crown"), ports),
        partial(change_lora, ADA, "mascot", ChangeLora(licence_note="CC0"), ports),
        partial(change_lora, ADA, "crown", ChangeLora(is_retired=True), ports),
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(again, work))
    listed = store.page("T0EASEL", limit=99, after=None).records
    origins = [version.origin for record in listed for version in record.versions]
    assert sorted(origins) == sorted(["trn-one", *(one.training_id for one in made)])
    for record in listed:
        numbers = [version.number for version in record.versions]
        assert numbers == sorted(set(numbers))


# ---------------------------------------------------------------- the files


@pytest.fixture(params=["fake", "s3"])
def files(request: pytest.FixtureRequest) -> LoraFiles:
    if request.param == "fake":
        return FakeLoraFiles(FakePictureStore())
    aws: Clients = request.getfixturevalue("aws")
    return S3LoraFiles(aws.of("s3"), request.getfixturevalue("bucket"), timedelta(minutes=15))


@pytest.fixture
def key() -> str:
    return f"uploads/tenants/iam-123456789012-user:a=5F.b/loras/upl-{uuid.uuid4().hex}"


def put(files: LoraFiles, key: str, content: bytes) -> None:
    """What a client does with an upload's link."""
    link = files.upload_link(key, len(content), datetime.fromisoformat("2026-11-23T12:00:00+00:00"))
    if isinstance(files, FakeLoraFiles):
        files.put(link.url, content)
    else:
        ask = urllib.request.Request(link.url, data=content, method="PUT", headers=link.headers)
        with urllib.request.urlopen(ask, timeout=5) as answer:
            assert answer.status == 200


def test_what_is_uploaded_is_found_read_in_parts_and_copied(files: LoraFiles, key: str) -> None:
    content = bytes(range(256)) * 500
    assert files.find(key) is None
    put(files, key, content)
    file = files.find(key)
    assert file is not None and file.bytes == len(content)
    assert files.read(key, file, 0, 10) == content[:10]
    assert files.read(key, file, 1_000, 70_000) == content[1_000:71_000]
    assert files.read(key, file, len(content) - 3, 100) == content[-3:]
    assert files.read(key, file, 5, 0) == files.read(key, file, len(content), 5) == b""
    assert files.copy(key, file, f"{key}-copy") == hashlib.sha256(content).hexdigest()
    copied = files.find(f"{key}-copy")
    assert copied is not None and files.read(f"{key}-copy", copied, 0, len(content)) == content
    files.delete([key, f"{key}-copy", f"{key}-none"])
    files.delete([])
    assert files.find(key) is files.find(f"{key}-copy") is None


def test_what_has_changed_is_neither_read_nor_copied(files: LoraFiles, key: str) -> None:
    put(files, key, b"good" * 10)
    file = files.find(key)
    assert file is not None
    put(files, key, b"evil" * 10)
    for ask in (lambda: files.read(key, file, 0, 4), lambda: files.copy(key, file, f"{key}-copy")):
        with pytest.raises(FileChanged):
            ask()
    assert files.find(f"{key}-copy") is None
    files.delete([key])
    for ask in (lambda: files.read(key, file, 0, 4), lambda: files.copy(key, file, f"{key}-copy")):
        with pytest.raises(FileChanged):
            ask()


def test_an_upload_link_is_for_one_place_and_one_length(aws: Clients, bucket: str, key: str) -> None:
    files = S3LoraFiles(aws.of("s3"), bucket, timedelta(minutes=15))
    link = files.upload_link(key, 10, NOON)
    assert link.expires_at == NOON + timedelta(minutes=15)
    for url, headers, content in (
        (link.url.replace("upl-", "upx-"), link.headers, b"x" * 10),
        (link.url, {**link.headers, "content-length": "11"}, b"x" * 11),
        (link.url, {**link.headers, "content-type": "text/html"}, b"x" * 10),
    ):
        ask = urllib.request.Request(url, data=content, method="PUT", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(ask, timeout=5)
        assert refused.value.code == 403
    assert files.find(key) is None


def test_s3s_own_checksum_is_taken_where_it_is_of_the_whole() -> None:
    digest = hashlib.sha256(b"content")

    class Client:
        """S3, as it answers a copy."""

        def __init__(self, checksum: str) -> None:
            self.checksum = checksum

        def copy_object(self, **asked: Any) -> dict[str, Any]:
            assert asked["ChecksumAlgorithm"] == "SHA256"
            return {"CopyObjectResult": {"ChecksumSHA256": self.checksum}}

        def get_object(self, **asked: Any) -> dict[str, Any]:
            assert asked["Key"] == "target"

            class Body:
                def iter_chunks(self, size: int) -> list[bytes]:
                    return [b"con", b"tent"]

            return {"Body": Body()}

    whole = base64.b64encode(digest.digest()).decode()
    other = base64.b64encode(b"\0" * 32).decode()
    for checksum, expected in ((whole, digest.hexdigest()), (other, "00" * 32), (f"{other}-3", digest.hexdigest())):
        files = S3LoraFiles(partial(Client, checksum), "bucket", timedelta(minutes=15))
        assert files.copy("source", StoredFile(7, '"tag"'), "target") == expected
