"""One suite for where LoRAs come from: the fake, and S3 on the local AWS under a role's policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from endpoint.serving.loras.errors import LoraMissing
from endpoint.serving.loras.source import LoraSource
from endpoint.serving.picture_store import StorageError
from endpoint.serving.s3 import S3LoraSource
from tests.fakes.fake_lora_source import FakeLoraSource
from tests.fakes.local_aws import ACCOUNT, REGION, LocalAws

KEY = "tenants/t/loras/one.safetensors"
CONTENT = bytes(range(256)) * 10_000


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("aws")) as aws:
        aws.client("s3").create_bucket(Bucket="pictures")
        yield aws


@pytest.fixture(scope="module")
def s3_of_the_role(aws: LocalAws) -> Any:
    """A client that may read objects of tenants, and not list the bucket."""
    statement = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::pictures/tenants/*"}
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


Made = tuple[LoraSource, Callable[[str, bytes], object]]


@pytest.fixture(params=["fake", "s3"])
def source(request: pytest.FixtureRequest) -> Made:
    """The source, and how to put a file there."""
    if request.param == "fake":
        fake = FakeLoraSource()
        return fake, lambda key, content: fake.files.update({f"pictures/{key}": content})
    client = request.getfixturevalue("aws").client("s3")
    return (
        S3LoraSource(request.getfixturevalue("s3_of_the_role")),
        lambda key, content: client.put_object(Bucket="pictures", Key=key, Body=content),
    )


def test_streams_in_pieces(source: Made) -> None:
    loras, put = source
    put(KEY, CONTENT)
    pieces = list(loras.stream("pictures", KEY))
    assert b"".join(pieces) == CONTENT
    assert len(pieces) > 1
    assert next(iter(loras.stream("pictures", KEY)))


def test_what_is_not_there_is_missing(source: Made) -> None:
    loras, _ = source
    for bucket, key in (("pictures", "tenants/t/loras/gone.safetensors"), ("no-such-bucket", KEY)):
        with pytest.raises(LoraMissing):
            list(loras.stream(bucket, key))


def test_what_the_role_may_not_read_is_missing(aws: LocalAws, s3_of_the_role: Any) -> None:
    aws.client("s3").put_object(Bucket="pictures", Key="others/one.safetensors", Body=CONTENT)
    with pytest.raises(LoraMissing):
        list(S3LoraSource(s3_of_the_role).stream("pictures", "others/one.safetensors"))


def test_s3_that_does_not_answer_is_a_storage_error(tmp_path: Path) -> None:
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
        list(S3LoraSource(client).stream("pictures", KEY))


def test_s3_that_breaks_off_is_a_storage_error() -> None:
    """A server that promises more than it sends."""
    import http.server
    import threading

    class Short(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5000000")
            self.end_headers()
            self.wfile.write(b"x" * 2_000_000)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Short)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    with pytest.raises(StorageError):
        list(S3LoraSource(client).stream("pictures", KEY))
    server.shutdown()
