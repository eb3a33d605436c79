"""The picture store on S3."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from endpoint.contract import OutputLocation
from endpoint.serving.picture_store import StorageError


class S3PictureStore:
    """Every upload carries its SHA-256, so that S3 refuses what arrives damaged."""

    def __init__(self, client: Any | None = None) -> None:
        self._client = client or boto3.client(
            "s3",
            config=Config(
                connect_timeout=3,
                read_timeout=20,
                max_pool_connections=32,
                retries={"mode": "standard", "max_attempts": 5},
            ),
        )

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
