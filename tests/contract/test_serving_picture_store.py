"""One suite for the container's picture store: the fake, and S3 on the local AWS under a role's policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from endpoint.contract import OutputLocation
from endpoint.serving.picture_store import PictureStore, StorageError
from endpoint.serving.s3 import S3PictureStore
from tests.fakes.fake_picture_store import FakePictureStore
from tests.fakes.local_aws import ACCOUNT, REGION, LocalAws

OUTPUT = OutputLocation(bucket="pictures", prefix="tenants/t/jobs/job-1/")


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("aws")) as aws:
        aws.client("s3").create_bucket(Bucket="pictures")
        yield aws


@pytest.fixture(scope="module")
def s3_of_the_role(aws: LocalAws) -> Any:
    """A client that may read and write objects of tenants, and not list the bucket."""
    statement = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": "arn:aws:s3:::pictures/tenants/*",
    }
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    credentials = aws.assume(aws.role("container", [statement], trust))
    return boto3.client(
        "s3",
        endpoint_url=aws.url,
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


@pytest.fixture(params=["fake", "s3"])
def store(request: pytest.FixtureRequest) -> PictureStore:
    if request.param == "fake":
        return FakePictureStore()
    return S3PictureStore(request.getfixturevalue("s3_of_the_role"))


def test_what_was_put_exists(store: PictureStore) -> None:
    assert not store.exists(OUTPUT, "0.png")
    store.put(OUTPUT, "0.png", b"picture", "image/png")
    assert store.exists(OUTPUT, "0.png")
    assert not store.exists(OUTPUT, "cancelled")


def test_putting_again_replaces(store: PictureStore) -> None:
    store.put(OUTPUT, "progress.json", b"1", "application/json")
    store.put(OUTPUT, "progress.json", b"2", "application/json")
    assert store.exists(OUTPUT, "progress.json")


def test_s3_keeps_bytes_type_and_checksum(aws: LocalAws, s3_of_the_role: Any) -> None:
    S3PictureStore(s3_of_the_role).put(OUTPUT, "1.png", b"picture", "image/png")
    kept = aws.client("s3").get_object(Bucket="pictures", Key=OUTPUT.prefix + "1.png", ChecksumMode="ENABLED")
    assert kept["Body"].read() == b"picture"
    assert kept["ContentType"] == "image/png"
    assert kept["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"picture").digest()).decode()


def test_what_the_role_may_not_is_a_storage_error(s3_of_the_role: Any) -> None:
    elsewhere = OutputLocation(bucket="pictures", prefix="others/")
    with pytest.raises(StorageError):
        S3PictureStore(s3_of_the_role).put(elsewhere, "0.png", b"picture", "image/png")
    with pytest.raises(StorageError):
        S3PictureStore(s3_of_the_role).put(
            OutputLocation(bucket="no-such-bucket", prefix="a/"), "0.png", b"picture", "image/png"
        )


def test_s3_that_does_not_answer_is_a_storage_error() -> None:
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 0}, connect_timeout=1),
    )
    with pytest.raises(StorageError):
        S3PictureStore(client).exists(OUTPUT, "0.png")
    with pytest.raises(StorageError):
        S3PictureStore(client).put(OUTPUT, "0.png", b"picture", "image/png")
