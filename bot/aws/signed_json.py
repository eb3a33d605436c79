"""AWS calls of the acknowledging function: one signed JSON request each, without a botocore client.

A client reads endpoint tables and service models before its first call, which is a third of this function's cold start.
Two calls in AWS's JSON protocol don't need them: botocore signs them and sends them.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

TRIES = 2
THROTTLED_PAUSES_SECONDS = (0.05, 0.2)
"""Before the next tries of what AWS has throttled; its answer comes at once, so there is time for them."""
THROTTLED_CODES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
CONNECT_SECONDS, READ_SECONDS = 0.7, 1.0


class AwsCallFailed(Exception):
    """AWS refused (`code` is its own word) or did not answer (`code` says how). Nothing of the request is in it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SignedJson:
    """Calls operations of one service. Region, endpoint and credentials come from the environment, as for any client.

    `targets` is the service's prefix in `X-Amz-Target`, `version` of its JSON protocol. What fails with a server error,
    or without an answer, is sent once more, and what is throttled twice more: operations must bear that.
    """

    def __init__(self, service: str, endpoint_name: str, targets: str, version: str = "1.0") -> None:
        self._service = service
        self._targets = targets
        self._version = version
        self._region = os.environ.get("AWS_REGION") or os.environ["AWS_DEFAULT_REGION"]
        suffix = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        self._url = (
            os.environ.get(f"AWS_ENDPOINT_URL_{endpoint_name}")
            or os.environ.get("AWS_ENDPOINT_URL")
            or f"https://{service}.{self._region}.{suffix}"
        ).rstrip("/") + "/"
        self._http = URLLib3Session(timeout=(CONNECT_SECONDS, READ_SECONDS))
        self._refreshable: Any = None

    def call(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """The operation's answer; raises `AwsCallFailed`."""
        code, tries, pauses = "", 0, list(THROTTLED_PAUSES_SECONDS)
        while tries < TRIES:
            try:
                status, answer = self._send(operation, json.dumps(body).encode())
            except BotoCoreError as error:
                code = type(error).__name__
                tries += 1
                continue
            if status == 200:
                return answer
            code = str(answer.get("__type") or answer.get("code") or f"HTTP {status}").rpartition("#")[2]
            if code in THROTTLED_CODES or status == 429:
                # AWS throttles with 400 as well, which else would be the caller's own mistake.
                if not pauses:
                    break
                time.sleep(pauses.pop(0))
                continue
            if status < 500:
                break
            tries += 1
        raise AwsCallFailed(code)

    def _send(self, operation: str, data: bytes) -> tuple[int, dict[str, Any]]:
        headers = {
            "Content-Type": f"application/x-amz-json-{self._version}",
            "X-Amz-Target": f"{self._targets}.{operation}",
        }
        request = AWSRequest(method="POST", url=self._url, data=data, headers=headers)
        SigV4Auth(self._credentials(), self._service, self._region).add_auth(request)
        response = self._http.send(request.prepare())
        try:
            answer = json.loads(response.content)
        except ValueError:
            answer = {}
        return response.status_code, answer if isinstance(answer, dict) else {}

    def _credentials(self) -> Any:
        key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
        if key and secret:
            return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN"))
        if self._refreshable is None:
            # A function restored from a snapshot gets its credentials from an address, not from variables.
            import botocore.session

            self._refreshable = botocore.session.get_session().get_credentials()
        if self._refreshable is None:
            raise AwsCallFailed("NoCredentials")
        return self._refreshable.get_frozen_credentials()
