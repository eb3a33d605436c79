"""An endpoint's life: created, updated blue/green, scaled, deleted, each with its states and events."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from deploy.local.sagemaker.async_queue import AsyncQueue
from deploy.local.sagemaker.aws_protocol import AwsError, validation_exception
from deploy.local.sagemaker.fleet import Fleet
from deploy.local.sagemaker.gateway import Gateway
from deploy.local.sagemaker.instance import InstanceFailed

log = logging.getLogger(__name__)

_EVENT_STATUS = {
    "Creating": "CREATING",
    "InService": "IN_SERVICE",
    "Updating": "UPDATING",
    "RollingBack": "ROLLING_BACK",
    "Failed": "FAILED",
    "Deleting": "DELETING",
}
# How long work in hand may take when its instance goes away; the longest invocation there is.
_DRAIN_SECONDS = 3_600.0
# When the whole stack ends, nobody waits for pictures any more.
_CLOSING_GRACE_SECONDS = 3.0


class Endpoint:
    """`make_fleet` builds the instances for a configuration; one change runs at a time."""

    def __init__(
        self,
        name: str,
        endpoint_arn: str,
        account: str,
        config: Mapping[str, Any],
        *,
        make_fleet: Callable[[Mapping[str, Any]], Fleet],
        make_queue: Callable[[Mapping[str, Any]], AsyncQueue],
        gateway: Gateway,
        launch_seconds: float,
    ) -> None:
        self.name = name
        self.arn = endpoint_arn
        self.account = account
        self.config = config
        self.status = "Creating"
        self.failure_reason: str | None = None
        self.created_at = self.changed_at = datetime.now(UTC)
        self._make_fleet = make_fleet
        self._gateway = gateway
        self._launch_seconds = launch_seconds
        self.fleet = make_fleet(config)
        asynchronous = config.get("AsyncInferenceConfig")
        self.queue = make_queue(asynchronous) if asynchronous else None
        self._change: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def variant(self) -> Mapping[str, Any]:
        """The one production variant of the configuration."""
        variant: Mapping[str, Any] = self.config["ProductionVariants"][0]
        return variant

    @property
    def takes_requests(self) -> bool:
        """Whether the runtime knows it."""
        return self.status in ("InService", "Updating", "RollingBack", "SystemUpdating")

    def describe(self) -> dict[str, Any]:
        """As `DescribeEndpoint` answers."""
        return {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.config["EndpointConfigName"],
            "ProductionVariants": [
                {
                    "VariantName": self.variant["VariantName"],
                    "CurrentWeight": 1.0,
                    "DesiredWeight": 1.0,
                    "CurrentInstanceCount": len(self.fleet.ready),
                    "DesiredInstanceCount": self.fleet.desired,
                }
            ],
            "EndpointStatus": self.status,
            "FailureReason": self.failure_reason,
            "CreationTime": self.created_at,
            "LastModifiedTime": self.changed_at,
            "AsyncInferenceConfig": self.config.get("AsyncInferenceConfig"),
        }

    def summary(self) -> dict[str, Any]:
        """As `ListEndpoints` shows it."""
        names = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        described = self.describe()
        return {name: described[name] for name in names}

    def check_changeable(self) -> None:
        """Raises `AwsError` while another change runs."""
        if self.status not in ("InService", "Failed", "OutOfService"):
            raise validation_exception(f'Cannot update in-progress endpoint "{self.arn}".')

    def create(self) -> None:
        """Start the first instances."""
        self._begin(self._create())

    def update(self, config: Mapping[str, Any], *, keep_count: bool) -> None:
        """Blue/green: new instances first, then the old ones go; a failure leaves the old ones in service."""
        self._begin(self._update(config, keep_count))

    def scale(self, count: int) -> None:
        """To that many instances; work in hand is finished."""
        self._begin(self._scale(count))

    def delete(self) -> asyncio.Task[None]:
        """Ends when everything of it is gone."""
        self._begin(self._delete())
        assert self._change is not None
        return self._change

    async def close(self) -> None:
        """End it at once, without events: the stand-in stops."""
        tasks = [task for task in (self._change, *self._closing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.queue:
            await self.queue.close()
        await self.fleet.close(grace_seconds=_CLOSING_GRACE_SECONDS)

    def _begin(self, change: Any) -> None:
        self._change = asyncio.create_task(change)
        self._change.add_done_callback(_report)

    async def _create(self) -> None:
        await self._announce("Creating")
        try:
            await self.fleet.grow_to(self.variant["InitialInstanceCount"])
        except InstanceFailed as error:
            log.warning("%s could not be created: %s", self.name, error)
            self.fleet.desired = 0
            await self._announce(
                "Failed",
                f"The primary container for production variant {self.variant['VariantName']} did not pass the ping "
                f"health check. Please check CloudWatch logs for this endpoint. {error}",
            )
            return
        await self._announce("InService")

    async def _update(self, config: Mapping[str, Any], keep_count: bool) -> None:
        await self._announce("Updating")
        old, old_config = self.fleet, self.config
        new = self._make_fleet(config)
        count = old.desired if keep_count else config["ProductionVariants"][0]["InitialInstanceCount"]
        try:
            await new.grow_to(count)
        except InstanceFailed as error:
            await new.close()
            await self._announce("RollingBack")
            await self._announce("InService", f"The update was rolled back: {error}")
            return
        self.fleet, self.config = new, config
        asynchronous = config.get("AsyncInferenceConfig")
        if self.queue and asynchronous:
            self.queue.configure(asynchronous)
            self.queue.pump()
        self._close_later(old)
        log.info("%s: %s replaced %s", self.name, config["EndpointConfigName"], old_config["EndpointConfigName"])
        await self._announce("InService")

    async def _scale(self, count: int) -> None:
        await self._announce("Updating")
        try:
            await self.fleet.grow_to(count, launch_seconds=self._launch_seconds)
            await self.fleet.shrink_to(count, _DRAIN_SECONDS)
        except InstanceFailed as error:
            self.fleet.desired = len(self.fleet.ready)
            await self._announce("InService", f"Instances could not be added: {error}")
            return
        await self._announce("InService")

    async def _delete(self) -> None:
        await self._announce("Deleting")
        if self.queue:
            await self.queue.close()
        await self.fleet.close()

    def _close_later(self, fleet: Fleet) -> None:
        task = asyncio.create_task(fleet.close(_DRAIN_SECONDS))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _announce(self, status: str, reason: str | None = None) -> None:
        self.status, self.failure_reason, self.changed_at = status, reason, datetime.now(UTC)
        detail = {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.config["EndpointConfigName"],
            "EndpointStatus": _EVENT_STATUS[status],
            "FailureReason": reason,
            "CreationTime": int(self.created_at.timestamp() * 1000),
            "LastModifiedTime": int(time.time() * 1000),
        }
        present = {name: value for name, value in detail.items() if value is not None}
        try:
            await self._gateway.event(self.account, "SageMaker Endpoint State Change", present, self.arn)
        except (AwsError, httpx.HTTPError):
            log.exception("the event of %s becoming %s was lost", self.name, status)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a change of an endpoint failed", exc_info=task.exception())
