"""One instance of an endpoint: a process of the container's entry point, on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from deploy.local.processes import free_port
from deploy.local.sagemaker.container_process import ContainerProcess

GRACE_SECONDS = 30.0  # SageMaker kills a container that long after SIGTERM
_PING_SECONDS = 2.0


class InstanceFailed(Exception):
    """The process ended, or was never healthy; the text has the last lines of its output."""


class Instance(ContainerProcess):
    """`running` counts requests in flight; `draining` instances take no new ones.

    A `suspect` one broke a connection: it takes none until it has answered a ping again.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], directory: Path, log: Path) -> None:
        self.port = free_port()
        super().__init__(command, {**environment, "SAGEMAKER_BIND_TO_PORT": str(self.port)}, directory, log)
        limits = httpx.Limits(max_connections=None, keepalive_expiry=30)
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", limits=limits)
        self.running = 0
        self.draining = False
        self.suspect = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, timeout_seconds: float) -> None:
        """Start the process and wait until `/ping` says 200. Raises `InstanceFailed`."""
        await self.launch()
        deadline = time.monotonic() + timeout_seconds
        while not await self.healthy():
            if not self.alive:
                raise InstanceFailed(f"The container ended with status {await self.ended()}. {self.last_lines()}")
            if time.monotonic() > deadline:
                raise InstanceFailed(f"The container was unhealthy for {timeout_seconds:.0f} s. {self.last_lines()}")
            await asyncio.sleep(0.1)

    async def healthy(self) -> bool:
        """Whether `/ping` answers 200 within SageMaker's two seconds."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self._http.get("/ping", timeout=_PING_SECONDS)).status_code == 200
        return False

    def reserve(self) -> None:
        """Count a request that will be sent to it; `reserved` gives its place back."""
        self.running += 1
        self._idle.clear()

    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """For as long as a reserved request is in flight."""
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self._idle.set()

    async def invoke(self, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> httpx.Response:
        """`POST /invocations`. Raises httpx's errors."""
        timeout = httpx.Timeout(timeout_seconds, connect=5)
        return await self._http.post("/invocations", content=body, headers=dict(headers), timeout=timeout)

    async def retire(self, wait_seconds: float, grace_seconds: float = GRACE_SECONDS) -> None:
        """Take nothing new, finish what runs (at most `wait_seconds`), then SIGTERM, then SIGKILL."""
        self.draining = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), wait_seconds)
        await self.stop(grace_seconds)

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        self.draining = True
        await self.terminate(grace_seconds)
