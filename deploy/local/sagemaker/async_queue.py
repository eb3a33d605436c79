"""The queue of an asynchronous endpoint: it takes requests with no instance there, and lets each out once."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from deploy.local.sagemaker.async_invocation import AsyncInvocation
from deploy.local.sagemaker.faults import Faults
from deploy.local.sagemaker.fleet import Fleet
from deploy.local.sagemaker.gateway import Gateway
from deploy.local.sagemaker.instance import Instance

log = logging.getLogger(__name__)

_MOST_ATTEMPTS = 2


class _InstanceGone(Exception):
    """The instance ended before it answered."""


class AsyncQueue:
    """Hands requests to ready instances, at most `concurrent` to each; the rest of the time they wait here."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        account: str,
        region: str,
        time_scale: float,
        gateway: Gateway,
        faults: Faults,
        fleet: Callable[[], Fleet],
    ) -> None:
        self.configure(config)
        self._account = account
        self._region = region
        self._time_scale = time_scale
        self._gateway = gateway
        self._faults = faults
        self._fleet = fleet
        self._waiting: deque[AsyncInvocation] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._announcing: set[asyncio.Task[None]] = set()

    def configure(self, config: Mapping[str, Any]) -> None:
        """An `AsyncInferenceConfig`, the first one or an update's."""
        self.output: Mapping[str, Any] = config["OutputConfig"]
        client = config.get("ClientConfig", {})
        self._concurrent: int = client.get("MaxConcurrentInvocationsPerInstance", 4)

    @property
    def backlog(self) -> int:
        """Requests that wait or run (`ApproximateBacklogSize`)."""
        return len(self._waiting) + len(self._running)

    @property
    def waiting(self) -> int:
        """Requests that no instance has taken."""
        return len(self._waiting)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest waiting request has waited, in the service's seconds."""
        return (time.monotonic() - self._waiting[0].queued_at) * self._time_scale if self._waiting else 0.0

    def put(self, invocation: AsyncInvocation) -> None:
        """Queue it and hand out what can be."""
        self._waiting.append(invocation)
        self.pump()

    def pump(self) -> None:
        """Hand waiting requests to instances that have room; give up those that waited too long."""
        self._expire()
        while self._waiting:
            room = [each for each in self._fleet().ready if each.running < self._concurrent]
            if not room:
                return
            instance = min(room, key=lambda each: each.running)
            # Counted here already: the task that runs it begins only later.
            invocation = self._waiting.popleft()
            instance.reserve()
            task = asyncio.create_task(self._run(invocation, instance))
            self._running.add(task)
            task.add_done_callback(self._ran)

    async def close(self) -> None:
        """Drop everything, as deleting an endpoint does."""
        self._waiting.clear()
        tasks = [*self._running, *self._announcing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("an invocation was lost", exc_info=task.exception())
        self.pump()

    def _expire(self) -> None:
        now = time.monotonic()
        for invocation in list(self._waiting):
            if (now - invocation.queued_at) * self._time_scale > invocation.ttl_seconds:
                self._waiting.remove(invocation)
                reason = f"Request expired: it waited longer than {invocation.ttl_seconds} seconds."
                self._announce(self._end(invocation, "Expired", failure=reason))

    async def _run(self, invocation: AsyncInvocation, instance: Instance) -> None:
        invocation.attempts += 1
        try:
            with instance.reserved():
                await self._serve(invocation, instance)
        except _InstanceGone:
            instance.suspect = True
            if invocation.attempts < _MOST_ATTEMPTS:
                self._waiting.appendleft(invocation)
                return
            await self._fail(invocation, "InternalServerException: The instance failed while it worked on the request.")

    async def _serve(self, invocation: AsyncInvocation, instance: Instance) -> None:
        try:
            body = await self._input(invocation)
        except Exception:
            log.exception("could not read the input of %s", invocation.inference_id)
            await self._fail(
                invocation, f"ClientError: Unable to read the input from {invocation.input_location}. Please verify it."
            )
            return
        try:
            response = await instance.invoke(body, invocation.container_headers(), invocation.timeout_seconds)
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            await self._fail(
                invocation,
                "ClientError: Your invocation timed out while waiting for a response from container primary. "
                f"{self._where_to_look(invocation)}",
            )
            return
        except httpx.HTTPError as error:
            raise _InstanceGone from error
        if response.status_code == 200:
            await self._store(invocation.output_location, response)
            await self._end(invocation, "Completed")
            return
        if response.status_code == 503 and instance.draining:
            raise _InstanceGone  # it is being shut down, and says so
        kind = "client" if response.status_code < 500 else "server"
        if invocation.failure_location:
            await self._store(invocation.failure_location, response)
        await self._end(
            invocation,
            "Failed",
            failure=f"ClientError: Received {kind} error ({response.status_code}) from model with message "
            f'"{response.text[:1024]}". {self._where_to_look(invocation)}',
        )

    async def _input(self, invocation: AsyncInvocation) -> bytes:
        if invocation.body is not None:
            return invocation.body
        bucket, key = _bucket_and_key(invocation.input_location or "")
        s3 = await self._client("s3")

        def read() -> bytes:
            content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            return content

        return await asyncio.to_thread(read)

    async def _store(self, location: str, response: httpx.Response) -> None:
        bucket, key = _bucket_and_key(location)
        s3 = await self._client("s3")
        content_type = response.headers.get("content-type", "application/octet-stream")
        await self._gateway.call(s3.put_object, Bucket=bucket, Key=key, Body=response.content, ContentType=content_type)

    async def _fail(self, invocation: AsyncInvocation, reason: str) -> None:
        if invocation.failure_location:
            text = httpx.Response(500, text=reason)
            await self._store(invocation.failure_location, text)
        await self._end(invocation, "Failed", failure=reason)

    async def _end(self, invocation: AsyncInvocation, status: str, *, failure: str | None = None) -> None:
        topics = self.output.get("NotificationConfig", {})
        topic = topics.get("SuccessTopic" if status == "Completed" else "ErrorTopic")
        if not topic:
            return
        message = json.dumps(invocation.notification(self._region, status, failure=failure))
        copies, delay = self._faults.copies(), self._faults.delay_completions_seconds
        if delay:
            self._announce(self._publish(topic, message, copies, delay))
        else:
            await self._publish(topic, message, copies, 0)

    async def _publish(self, topic: str, message: str, copies: int, delay: float) -> None:
        await asyncio.sleep(delay)
        sns = await self._client("sns")
        for _ in range(copies):
            await self._gateway.call(sns.publish, TopicArn=topic, Message=message)

    def _announce(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._announcing.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._announcing.discard(finished)
            if not finished.cancelled() and finished.exception() is not None:
                log.error("a notification was lost", exc_info=finished.exception())

        task.add_done_callback(done)

    async def _client(self, name: str) -> Any:
        return await asyncio.to_thread(self._gateway.client, name, self._fleet().role_arn)

    def _where_to_look(self, invocation: AsyncInvocation) -> str:
        group = f"/aws/sagemaker/Endpoints/{invocation.endpoint_name}"
        console = f"https://{self._region}.console.aws.amazon.com/cloudwatch/home?region={self._region}"
        return f"See {console}#logEventViewer:group={group} in account {self._account} for more information."


def _bucket_and_key(location: str) -> tuple[str, str]:
    """Of an `s3://` address."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key
