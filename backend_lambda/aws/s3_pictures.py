"""The pictures bucket."""

from __future__ import annotations

import logging
from datetime import timedelta

from botocore.exceptions import ClientError

from backend_lambda.aws.clients import Client

logger = logging.getLogger(__name__)

_MOST_BYTES = 1_000_000
"""What is read are small documents; more than this is none of ours."""


class S3PictureStore:
    """`PictureStore` on an S3 bucket; links last as long as `link_lifetime`, and no longer than the credentials."""

    def __init__(self, client: Client, bucket: str, link_lifetime: timedelta) -> None:
        self._client = client
        self._bucket = bucket
        self._link_lifetime = link_lifetime

    @property
    def bucket(self) -> str:
        return self._bucket

    def read(self, key: str) -> bytes | None:
        try:
            answer = self._client().get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise
        content: bytes = answer["Body"].read(_MOST_BYTES)
        return content

    def read_location(self, location: str) -> bytes | None:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        if not location.startswith("s3://") or bucket != self._bucket or not key:
            return None
        try:
            return self.read(key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                logger.warning("SageMaker's answer is not ours to read", extra={"location": location})
                return None
            raise

    def write(self, key: str, content: bytes, content_type: str) -> None:
        self._client().put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)

    def delete_below(self, prefix: str, *, keep: str) -> None:
        if not prefix.endswith("/") or prefix.count("/") < 2:
            raise ValueError("a prefix of one job's files ends with a slash, and is not the whole bucket")
        client = self._client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            keys = [{"Key": found["Key"]} for found in page.get("Contents", []) if found["Key"] != keep]
            if keys:
                answer = client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
                if answer.get("Errors"):
                    raise RuntimeError(f"{len(answer['Errors'])} objects could not be deleted")

    def link(self, key: str) -> str:
        link: str = self._client().generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key},
            ExpiresIn=int(self._link_lifetime.total_seconds()),
        )
        return link
