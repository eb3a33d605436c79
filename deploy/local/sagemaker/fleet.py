"""The instances behind one endpoint configuration: kept at the desired number, replaced when they die."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.sagemaker.catalog import primary_container
from deploy.local.sagemaker.container_credentials import ContainerCredentials
from deploy.local.sagemaker.container_environment import container_environment
from deploy.local.sagemaker.gateway import Gateway
from deploy.local.sagemaker.instance import GRACE_SECONDS, Instance, InstanceFailed
from deploy.local.sagemaker.log_shipper import ship_log
from deploy.local.sagemaker.model_cache import ModelCache
from deploy.local.sagemaker.settings import SageMakerSettings

log = logging.getLogger(__name__)

_HEALTH_CHECK_SECONDS = 5.0
_FAILED_CHECKS = 3
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_STEADY_SECONDS = 60.0

_numbers = itertools.count(1)


class Fleet:
    """`on_change` is called whenever an instance comes or goes, so that waiting requests find their way."""

    def __init__(
        self,
        endpoint_name: str,
        model: dict[str, Any],
        *,
        settings: SageMakerSettings,
        gateway: Gateway,
        models: ModelCache,
        credentials: ContainerCredentials,
        on_change: Callable[[], None],
    ) -> None:
        self.endpoint_name = endpoint_name
        self.role_arn: str = model["ExecutionRoleArn"]
        self.desired = 0
        self._container = primary_container(model)
        self._settings = settings
        self._gateway = gateway
        self._models = models
        self._credentials = credentials
        self._on_change = on_change
        self._instances: list[Instance] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def ready(self) -> list[Instance]:
        """Instances that take requests."""
        return [each for each in self._standing if not each.suspect]

    @property
    def _standing(self) -> list[Instance]:
        """Instances that count as there, whether or not they answer at the moment."""
        return [each for each in self._instances if each.alive and not each.draining]

    async def grow_to(self, count: int, *, launch_seconds: float = 0.0) -> None:
        """Start what is missing and wait until it is healthy. Raises `InstanceFailed`, with nothing added then."""
        self.desired = count
        missing = count - len(self._standing)
        if missing <= 0:
            return
        await asyncio.sleep(launch_seconds)
        results = await asyncio.gather(*(self._launch() for _ in range(missing)), return_exceptions=True)
        failures = [each for each in results if isinstance(each, BaseException)]
        if failures:
            for each in results:
                if isinstance(each, Instance):
                    await each.stop()
            raise failures[0]
        for each in results:
            if isinstance(each, Instance):
                self._take_in(each)

    async def shrink_to(self, count: int, wait_seconds: float, grace_seconds: float = GRACE_SECONDS) -> None:
        """Retire what is too much, idle instances first; work in hand is finished, for at most `wait_seconds`."""
        self.desired = count
        standing = sorted(self._standing, key=lambda each: each.running)
        surplus = standing[: max(0, len(standing) - count)]
        for each in surplus:
            each.draining = True
        self._on_change()
        await asyncio.gather(*(each.retire(wait_seconds, grace_seconds) for each in surplus))
        self._instances = [each for each in self._instances if each not in surplus]

    async def close(self, wait_seconds: float = 0.0, grace_seconds: float = GRACE_SECONDS) -> None:
        """End all of it."""
        self._closed = True
        await self.shrink_to(0, wait_seconds, grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _launch(self) -> Instance:
        instance = await self._prepare()
        group, stream = f"/aws/sagemaker/Endpoints/{self.endpoint_name}", f"AllTraffic/{instance.id}"
        self._keep(ship_log(instance, group, stream, self._gateway, self.role_arn))
        try:
            await instance.start(self._settings.startup_seconds)
        except BaseException:
            await instance.stop(5)
            raise
        return instance

    async def _prepare(self) -> Instance:
        settings = self._settings
        uri = self._container["ModelDataSource"]["S3DataSource"]["S3Uri"]
        try:
            s3 = await asyncio.to_thread(self._gateway.client, "s3", self.role_arn)
            directory: Path = await asyncio.to_thread(self._models.directory, s3, uri)
        except Exception as error:
            raise InstanceFailed(f"Failed to download model data from {uri}: {error}") from error
        environment = {
            **container_environment(
                settings, self._credentials.uri_for(self.role_arn), self._container.get("Environment", {})
            ),
            "SM_MODEL_DIR": str(directory),
            "EASEL_BIND_HOST": "127.0.0.1",
        }
        path = settings.folder / "logs" / f"{self.endpoint_name}-{next(_numbers)}-{secrets.token_hex(2)}.log"
        return Instance([settings.python, "-m", "endpoint", "serve"], environment, settings.repository, path)

    def _take_in(self, instance: Instance) -> None:
        self._instances.append(instance)
        self._keep(self._watch(instance, time.monotonic()))
        self._on_change()

    async def _watch(self, instance: Instance, since: float) -> None:
        """Until the instance ends: replace it when it dies or stops answering, slower each time it dies young."""
        checks = asyncio.create_task(self._check(instance))
        status = await instance.ended()
        checks.cancel()
        self._on_change()
        if instance.draining or self._closed:
            return
        self._instances = [each for each in self._instances if each is not instance]
        log.warning("an instance of %s ended with status %d: %s", self.endpoint_name, status, instance.last_lines())
        pause = _FIRST_PAUSE_SECONDS
        if time.monotonic() - since < _STEADY_SECONDS:
            await asyncio.sleep(pause)
        while len(self._standing) < self.desired and not self._closed:
            try:
                replacement = await self._launch()
            except InstanceFailed as error:
                log.warning("no replacement for an instance of %s: %s", self.endpoint_name, error)
                pause = min(_LONGEST_PAUSE_SECONDS, 2 * pause)
                await asyncio.sleep(pause)
                continue
            if len(self._standing) < self.desired and not self._closed:
                self._take_in(replacement)
            else:
                await replacement.stop()

    async def _check(self, instance: Instance) -> None:
        failed = 0
        while failed < _FAILED_CHECKS:
            await asyncio.sleep(_HEALTH_CHECK_SECONDS)
            healthy = await instance.healthy()
            failed = 0 if healthy or instance.draining else failed + 1
            if healthy and instance.suspect:
                instance.suspect = False
                self._on_change()
        log.warning("an instance of %s does not answer pings", self.endpoint_name)
        instance.kill()

    def _keep(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._tasks.discard(finished)
            with contextlib.suppress(asyncio.CancelledError):
                if finished.exception() is not None:
                    log.error("a task of the fleet failed", exc_info=finished.exception())

        task.add_done_callback(done)
