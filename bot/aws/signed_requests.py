"""Requests to the backend's REST API, each signed (SigV4) with the caller's own credentials."""

from __future__ import annotations

import json
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningCredentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from bot.logs import log
from bot.ports.backend import ApiRefused, ApiUnavailable, Credentials
from bot.ports.clock import Clock
from bot.ports.records import Json

SERVICE = "execute-api"
TRIES = 3
FIRST_WAIT_SECONDS = 0.4
CONNECT_SECONDS, READ_SECONDS = 3, 15

# What the gateway itself answers has no code of ours.
CODES = {400: "malformed_request", 401: "not_allowed", 403: "not_allowed", 404: "job_not_found", 413: "too_large"}
PASSING = frozenset({None, "internal", "too_many_requests"})
"""Codes of what may pass by itself; a limit that is reached does not."""


class SignedRequests:
    """Sends them, and those again that fail in passing: every request of the API may be repeated."""

    def __init__(self, api_url: str, region: str, clock: Clock) -> None:
        self._api_url = api_url.rstrip("/")
        self._region = region
        self._clock = clock
        self._http = URLLib3Session(timeout=(CONNECT_SECONDS, READ_SECONDS))

    def call(self, credentials: Credentials, method: str, path: str, body: Json | None = None) -> Json:
        """The answer's JSON object; empty where it has none. Raises `ApiRefused` and `ApiUnavailable`."""
        data = json.dumps(body, ensure_ascii=False).encode("utf-8") if body is not None else b""
        problem = "no answer"
        for attempt in range(TRIES):
            if attempt:
                self._clock.sleep(FIRST_WAIT_SECONDS * 3 ** (attempt - 1))
            try:
                status, document = self._send(credentials, method, path, data)
            except BotoCoreError as error:
                problem = type(error).__name__
                continue
            if status < 300:
                return document
            if (status == 429 or status >= 500) and document.get("code") in PASSING:
                problem = f"HTTP {status} {document.get('reference') or ''}".strip()
                continue
            raise ApiRefused(status, {"code": CODES.get(status, "internal"), **document})
        log.warning("backend unavailable", extra={"method": method, "path": path, "problem": problem})
        raise ApiUnavailable(problem)

    def _send(self, credentials: Credentials, method: str, path: str, data: bytes) -> tuple[int, dict[str, Any]]:
        request = AWSRequest(
            method=method,
            url=self._api_url + path,
            data=data,
            headers={"Content-Type": "application/json"} if data else {},
        )
        signing = SigningCredentials(credentials.access_key, credentials.secret_key, credentials.session_token)
        SigV4Auth(signing, SERVICE, self._region).add_auth(request)
        response = self._http.send(request.prepare())
        try:
            document = json.loads(response.content) if response.content else {}
        except ValueError:
            document = {}
        return response.status_code, document if isinstance(document, dict) else {}
