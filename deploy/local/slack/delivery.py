"""Signed HTTP requests to the app, the three-second acknowledgement, and the faults that can hit them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from typing import Any

import httpx

from deploy.local.slack.faults import Faults
from deploy.local.slack.logbook import Delivery, Logbook
from deploy.local.slack.manifest import Manifest

USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"
FORM = "application/x-www-form-urlencoded"
MAX_LOGGED_BODY = 20_000
LATE_ANSWER_SECONDS = 60.0


def sign(signing_secret: str, timestamp: str, body: bytes) -> str:
    """Slack's v0 signature of a request body."""
    digest = hmac.new(signing_secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
    return f"v0={digest.hexdigest()}"


class Deliverer:
    """Sends requests to the app. `request_url` overrides every URL in the manifest."""

    def __init__(
        self,
        manifest: Manifest,
        request_url: str | None,
        signing_secret: str,
        ack_seconds: float,
        faults: Faults,
        log: Logbook,
    ) -> None:
        self.manifest = manifest
        self.request_url = request_url
        self.signing_secret = signing_secret
        self.ack_seconds = ack_seconds
        self._faults = faults
        self._log = log
        self._client: httpx.AsyncClient | None = None
        self._late: set[asyncio.Task[Any]] = set()

    async def deliver(
        self,
        kind: str,
        subject: str,
        manifest_url: str | None,
        body: str,
        content_type: str = FORM,
        headers: dict[str, str] | None = None,
        retry_num: int = 0,
    ) -> Delivery:
        """Send one request and wait for its acknowledgement; never raises for what the app or the network does.

        `kind` is `command`, `event`, `interaction` or `verification`. An answer that comes too late is read and noted
        nowhere: Slack no longer listens.
        """
        timestamp = str(int(time.time()))
        raw = body.encode("utf-8")
        sent_headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json,*/*",
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": sign(self.signing_secret, timestamp, raw),
            **(headers or {}),
        }
        url = self.request_url or manifest_url
        entry = self._log.start_delivery(kind, subject, url or "", sent_headers, body[:MAX_LOGGED_BODY], retry_num)
        if not url:
            entry.outcome = "connection_failed"
            return entry
        faults = self._faults.take_for_delivery(kind)
        entry.faults = tuple(faults)
        if "lose" in faults:
            await asyncio.sleep(self.ack_seconds)
            entry.outcome = "timeout"
            return entry
        delay_seconds = faults["delay"].seconds if "delay" in faults else 0.0
        for _ in range(faults["repeat"].times - 1 if "repeat" in faults else 0):
            self._keep(asyncio.create_task(self._send_again(kind, subject, url, sent_headers, body, delay_seconds)))
        await self._send(entry, url, sent_headers, raw, delay_seconds, is_answer_dropped="drop_ack" in faults)
        return entry

    async def close(self) -> None:
        """Stop what is still on its way."""
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _send_again(
        self, kind: str, subject: str, url: str, headers: dict[str, str], body: str, delay_seconds: float
    ) -> None:
        entry = self._log.start_delivery(kind, subject, url, headers, body[:MAX_LOGGED_BODY], 0)
        entry.faults = ("repeated",)
        await self._send(entry, url, headers, body.encode("utf-8"), delay_seconds, is_answer_dropped=False)

    async def _send(
        self,
        entry: Delivery,
        url: str,
        headers: dict[str, str],
        raw: bytes,
        delay_seconds: float,
        is_answer_dropped: bool,
    ) -> None:
        # The request goes on after the time-out: the app gets it whole, as it does from Slack.
        request = asyncio.create_task(self._post(url, headers, raw, delay_seconds))
        self._keep(request)
        started = time.monotonic()
        done, _ = await asyncio.wait({request}, timeout=self.ack_seconds)
        if not done or is_answer_dropped:
            await asyncio.sleep(max(0.0, self.ack_seconds - (time.monotonic() - started)))
            entry.outcome = "timeout"
            return
        response = request.result()
        entry.acked_monotonic = time.monotonic()
        entry.ack_ms = round((entry.acked_monotonic - entry.sent_monotonic) * 1000, 2)
        if response is None:
            entry.outcome = "connection_failed"
            return
        entry.status = response.status_code
        entry.response_body = response.text
        entry.response_headers = {key.lower(): value for key, value in response.headers.items()}
        entry.outcome = "acked" if response.is_success else "http_error"

    async def _post(self, url: str, headers: dict[str, str], raw: bytes, delay_seconds: float) -> httpx.Response | None:
        if delay_seconds:
            await asyncio.sleep(delay_seconds)
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=LATE_ANSWER_SECONDS, trust_env=False)
        try:
            return await self._client.post(url, content=raw, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._late.add(task)
        task.add_done_callback(self._late.discard)
