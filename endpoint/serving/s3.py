"""S3: where pictures go, and where LoRAs come from."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from endpoint.contract import OutputLocation
from endpoint.serving.loras.errors import LoraMissing
from endpoint.serving.picture_store import StorageError

_PIECE = 1 << 20


def s3_client() -> Any:
    """For both, from any thread; retries by itself what may pass."""
    return boto3.client(
        "s3",
        config=Config(
            connect_timeout=3,
            read_timeout=20,
            max_pool_connections=40,
            retries={"mode": "standard", "max_attempts": 5},
        ),
    )


class S3PictureStore:
    """Every upload carries its SHA-256, so that S3 refuses what arrives damaged."""

    def __init__(self, client: Any | None = None) -> None:
        self._client = client or s3_client()

    def put(self, output: OutputLocation, name: str, body: bytes, content_type: str) -> None:
        try:
            self._client.put_object(
                Bucket=output.bucket,
                Key=output.prefix + name,
                Body=body,
                ContentType=content_type,
                ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
            )
        except (BotoCoreError, ClientError) as error:
            raise StorageError(f"could not store {name}") from error

    def exists(self, output: OutputLocation, name: str) -> bool:
        try:
            self._client.head_object(Bucket=output.bucket, Key=output.prefix + name)
        except ClientError as error:
            # Without s3:ListBucket, S3 answers 403 for what isn't there.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
                return False
            raise StorageError(f"could not look for {name}") from error
        except BotoCoreError as error:
            raise StorageError(f"could not look for {name}") from error
        return True


class S3LoraSource:
    """Reads with the endpoint's own role."""

    def __init__(self, client: Any | None = None) -> None:
        self._client = client or s3_client()

    def stream(self, bucket: str, key: str) -> Iterator[bytes]:
        try:
            body = self._client.get_object(Bucket=bucket, Key=key)["Body"]
            with contextlib.closing(body):
                yield from body.iter_chunks(_PIECE)
        except ClientError as error:
            # Without s3:ListBucket, S3 answers 403 for what isn't there.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
                raise LoraMissing from error
            raise StorageError("could not read a LoRA") from error
        except (BotoCoreError, OSError) as error:
            raise StorageError("could not read a LoRA") from error
