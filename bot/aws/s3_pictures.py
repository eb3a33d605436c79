"""The finished pictures on S3."""

from __future__ import annotations

from botocore.exceptions import ClientError

from bot.aws.clients import AwsClients, error_code
from bot.ports.backend import PictureGone


class S3Pictures:
    """Implements `bot.ports.backend.Pictures`, for one bucket."""

    def __init__(self, clients: AwsClients, bucket: str) -> None:
        self._s3 = clients.get("s3")
        self._bucket = bucket

    def read(self, bucket: str, key: str) -> bytes:
        """The PNG, unchanged; a bucket that is not ours holds none of our pictures."""
        if bucket != self._bucket:
            raise PictureGone(key)
        try:
            return bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            # Without the right to list the bucket, S3 says "access denied" of what is not there.
            if error_code(error) in {"NoSuchKey", "404", "AccessDenied"}:
                raise PictureGone(key) from error
            raise
