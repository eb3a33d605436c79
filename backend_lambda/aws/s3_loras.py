"""The files of LoRAs in the pictures bucket."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.lora_store import FileChanged, StoredFile, UploadLink

_CONTENT_TYPE = "application/octet-stream"
_PIECE = 4 * 1024 * 1024
_MISSING = {"NoSuchKey", "404", "NotFound"}
_CHANGED = {"PreconditionFailed", "412", *_MISSING}


class S3LoraFiles:
    """`LoraFiles` on an S3 bucket. Links last as long as `link_lifetime`, and no longer than the credentials."""

    def __init__(self, client: Client, bucket: str, link_lifetime: timedelta) -> None:
        self._client = client
        self._bucket = bucket
        self._link_lifetime = link_lifetime

    @property
    def bucket(self) -> str:
        return self._bucket

    def upload_link(self, key: str, bytes: int, now: datetime) -> UploadLink:
        # Both are signed: S3 takes neither another length nor another type.
        url = self._presigned("put_object", key, ContentLength=bytes, ContentType=_CONTENT_TYPE)
        headers = {"content-type": _CONTENT_TYPE, "content-length": str(bytes)}
        return UploadLink(url, headers, now + self._link_lifetime)

    def find(self, key: str) -> StoredFile | None:
        try:
            answer = self._client().head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        return StoredFile(int(answer["ContentLength"]), answer["ETag"])

    def read(self, key: str, file: StoredFile, start: int, count: int) -> bytes:
        if count <= 0 or start >= file.bytes:
            return b""
        answer = self._unchanged(
            lambda client: client.get_object(
                Bucket=self._bucket, Key=key, IfMatch=file.tag, Range=f"bytes={start}-{start + count - 1}"
            )
        )
        content: bytes = answer["Body"].read()
        return content

    def copy(self, source: str, file: StoredFile, target: str) -> str:
        answer = self._unchanged(
            lambda client: client.copy_object(
                Bucket=self._bucket,
                Key=target,
                CopySource={"Bucket": self._bucket, "Key": source},
                CopySourceIfMatch=file.tag,
                # Without tags, so that nobody needs the right to read them.
                TaggingDirective="REPLACE",
                # S3 computes it over the whole of what it writes, so that nobody has to read it for that.
                ChecksumAlgorithm="SHA256",
            )
        )
        checksum = answer.get("CopyObjectResult", {}).get("ChecksumSHA256", "")
        # "…-3" would be a checksum of three parts' checksums.
        if checksum and "-" not in checksum:
            return base64.b64decode(checksum).hex()
        return self._sha256(target)

    def _sha256(self, key: str) -> str:
        digest = hashlib.sha256()
        for piece in self._client().get_object(Bucket=self._bucket, Key=key)["Body"].iter_chunks(_PIECE):
            digest.update(piece)
        return digest.hexdigest()

    def delete(self, keys: Collection[str]) -> None:
        # A thousand at once are allowed; a LoRA has a hundred at most.
        if not keys:
            return
        answer = self._client().delete_objects(
            Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
        if answer.get("Errors"):
            raise RuntimeError(f"{len(answer['Errors'])} objects could not be deleted")

    def link(self, key: str) -> str:
        return self._presigned("get_object", key)

    def _presigned(self, operation: str, key: str, **more: Any) -> str:
        url: str = self._client().generate_presigned_url(
            operation,
            Params={"Bucket": self._bucket, "Key": key, **more},
            ExpiresIn=int(self._link_lifetime.total_seconds()),
        )
        return url

    def _unchanged(self, ask: Any) -> Any:
        try:
            return ask(self._client())
        except ClientError as error:
            if error.response["Error"]["Code"] in _CHANGED:
                raise FileChanged from None
            raise
