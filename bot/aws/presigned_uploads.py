"""Files on their way to presigned URLs of S3, which are secrets: nothing of them goes into errors or logs."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from bot.ports.backend import ApiUnavailable

CONNECT_SECONDS, SEND_SECONDS = 3, 40
TRIES = 2
ALREADY_THERE = frozenset({409, 412})
"""S3's answers where an upload that happens once has happened."""


class PresignedUploads:
    """Sends bytes with exactly the headers that the URL was signed for."""

    def __init__(self) -> None:
        self._http = URLLib3Session(timeout=(CONNECT_SECONDS, SEND_SECONDS))

    def put(self, url: str, headers: Mapping[str, str], content: bytes) -> None:
        """PUT the bytes; raises `ApiUnavailable`."""
        problem = ""
        for _ in range(TRIES):
            request = AWSRequest(method="PUT", url=url, data=content, headers=dict(headers))
            try:
                status = self._http.send(request.prepare()).status_code
            except BotoCoreError as error:
                problem = type(error).__name__
                continue
            if status < 300 or status in ALREADY_THERE:
                return
            problem = f"HTTP {status}"
        raise ApiUnavailable(f"not uploaded: {problem}")
