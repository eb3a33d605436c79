"""The pictures bucket, as far as trainings use it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.training_ports import Digest, ReadTooLarge, StoredObject, Upload, check_prefix

_CHUNK_BYTES = 1024 * 1024
_MISSING = {"NoSuchKey", "404"}
_TYPE = "application/octet-stream"
"""Of an upload: what it is, its content says when it is looked at."""


class S3TrainingFiles:
    """`TrainingFiles` on an S3 bucket; links and uploads last as long as `link_lifetime`, and no longer than the
    credentials.
    """

    def __init__(
        self,
        client: Client,
        bucket: str,
        link_lifetime: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._link_lifetime = link_lifetime
        self._now = now

    @property
    def bucket(self) -> str:
        return self._bucket

    def read(self, key: str, most_bytes: int) -> StoredObject | None:
        answer = self._get(key)
        if answer is None:
            return None
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > most_bytes:
                raise ReadTooLarge(key)
            return StoredObject(body.read(), answer["LastModified"].astimezone(UTC))

    def digest(self, key: str) -> Digest | None:
        answer = self._get(key)
        if answer is None:
            return None
        sha256, size = hashlib.sha256(), 0
        with closing(answer["Body"]) as body:
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                sha256.update(chunk)
                size += len(chunk)
        return Digest(sha256.hexdigest(), size)

    def write(self, key: str, content: bytes, content_type: str) -> None:
        self._client().put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)

    def delete(self, *keys: str) -> None:
        if keys:
            self._delete(self._client(), list(keys))

    def delete_below(self, prefix: str) -> None:
        check_prefix(prefix)
        client = self._client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            keys = [found["Key"] for found in page.get("Contents", [])]
            if keys:
                self._delete(client, keys)

    def link(self, key: str) -> str:
        link: str = self._client().generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=self._seconds
        )
        return link

    def upload(self, key: str, size: int) -> Upload:
        expires_at = self._now() + self._link_lifetime
        # Length and type are signed: S3 refuses any other.
        url: str = self._client().generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket, "Key": key, "ContentLength": size, "ContentType": _TYPE},
            ExpiresIn=self._seconds,
        )
        return Upload(url, {"Content-Type": _TYPE, "Content-Length": str(size)}, expires_at)

    @property
    def _seconds(self) -> int:
        return int(self._link_lifetime.total_seconds())

    def _get(self, key: str) -> Any | None:
        try:
            return self._client().get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise

    def _delete(self, client: Any, keys: list[str]) -> None:
        answer = client.delete_objects(
            Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
        if answer.get("Errors"):
            raise RuntimeError(f"{len(answer['Errors'])} objects could not be deleted")
