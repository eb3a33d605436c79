"""The contract of `PictureStore`, over the fake and over S3."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from datetime import timedelta

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.s3_pictures import S3PictureStore
from backend_lambda.ports import PictureStore
from tests.fakes.backend import FakePictureStore


@pytest.fixture(params=["fake", "s3"])
def store(request: pytest.FixtureRequest) -> PictureStore:
    if request.param == "fake":
        return FakePictureStore()
    aws: Clients = request.getfixturevalue("aws")
    return S3PictureStore(aws.of("s3"), request.getfixturevalue("bucket"), timedelta(minutes=15))


@pytest.fixture
def prefix() -> str:
    # Every character that a tenant may bring along.
    return f"tenants/iam-123456789012-user:a=5F.b-{uuid.uuid4().hex[:8]}/jobs/job-x/"


def test_what_was_written_is_read(store: PictureStore, prefix: str) -> None:
    store.write(prefix + "request.json", b"{}", "application/json")
    store.write(prefix + "request.json", b'{"a": 1}', "application/json")
    assert store.read(prefix + "request.json") == b'{"a": 1}'
    assert store.read_location(f"s3://{store.bucket}/{prefix}request.json") == b'{"a": 1}'


def test_an_empty_object_is_not_a_missing_one(store: PictureStore, prefix: str) -> None:
    store.write(prefix + "cancelled", b"", "text/plain")
    assert store.read(prefix + "cancelled") == b""
    assert store.read(prefix + "manifest.json") is None
    assert store.read_location(f"s3://{store.bucket}/{prefix}manifest.json") is None


@pytest.mark.parametrize("location", ["", "s3://", "s3://another-bucket/k", "https://example.com/x", "key", "s3:///k"])
def test_a_location_elsewhere_is_not_read(store: PictureStore, location: str) -> None:
    assert store.read_location(location) is None


def test_deleting_takes_one_jobs_files_but_the_one_to_keep(store: PictureStore, prefix: str) -> None:
    neighbour = prefix[:-1] + "2/0.png"
    names = ["0.png", "1.png", "grid.png", "manifest.json", "cancelled"]
    for key in [*(prefix + name for name in names), neighbour]:
        store.write(key, b"x", "image/png")
    for _ in range(2):
        store.delete_below(prefix, keep=prefix + "cancelled")
        assert [name for name in names if store.read(prefix + name) is not None] == ["cancelled"]
    assert store.read(neighbour) == b"x"


@pytest.mark.parametrize("prefix", ["", "/", "tenants/", "tenants/T1/jobs/job-x"])
def test_deleting_more_than_a_job_is_refused(store: PictureStore, prefix: str) -> None:
    with pytest.raises(ValueError, match="one job's files"):
        store.delete_below(prefix, keep="")


def test_a_link_names_the_object(store: PictureStore, prefix: str) -> None:
    assert "0.png" in store.link(prefix + "0.png")


def test_a_link_opens_that_object_to_anyone_and_no_other(aws: Clients, bucket: str, prefix: str) -> None:
    store = S3PictureStore(aws.of("s3"), bucket, timedelta(minutes=15))
    store.write(prefix + "0.png", b"picture", "image/png")
    link = store.link(prefix + "0.png")
    with urllib.request.urlopen(link, timeout=5) as answer:
        assert answer.read() == b"picture"
        assert answer.headers["content-type"] == "image/png"
    store.write(prefix + "1.png", b"other", "image/png")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(link.replace("0.png", "1.png"), timeout=5)
    assert refused.value.code == 403
