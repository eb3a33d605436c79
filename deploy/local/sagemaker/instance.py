"""One instance of an endpoint: a process of the container's entry point, on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from deploy.local.processes import free_port

_PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 30.0  # SageMaker kills a container that long after SIGTERM
_PING_SECONDS = 2.0


class InstanceFailed(Exception):
    """The process ended, or was never healthy; the text has the last lines of its output."""


class Instance:
    """`running` counts requests in flight; `draining` instances take no new ones.

    A `suspect` one broke a connection: it takes none until it has answered a ping again.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], directory: Path, log: Path) -> None:
        self.id = "i-" + secrets.token_hex(8)
        self.port = free_port()
        limits = httpx.Limits(max_connections=None, keepalive_expiry=30)
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", limits=limits)
        self.running = 0
        self.draining = False
        self.suspect = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._command = command
        self._environment = {**environment, "SAGEMAKER_BIND_TO_PORT": str(self.port)}
        self._directory = directory
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, timeout_seconds: float) -> None:
        """Start the process and wait until `/ping` says 200. Raises `InstanceFailed`."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                cwd=self._directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        deadline = time.monotonic() + timeout_seconds
        while not await self.healthy():
            if self._process.returncode is not None:
                raise InstanceFailed(f"The container ended with status {self._process.returncode}. {self.last_lines()}")
            if time.monotonic() > deadline:
                raise InstanceFailed(f"The container was unhealthy for {timeout_seconds:.0f} s. {self.last_lines()}")
            await asyncio.sleep(0.1)

    async def healthy(self) -> bool:
        """Whether `/ping` answers 200 within SageMaker's two seconds."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self._http.get("/ping", timeout=_PING_SECONDS)).status_code == 200
        return False

    async def ended(self) -> int:
        """Wait for the process's end; its exit status."""
        assert self._process is not None
        return await self._process.wait()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._log

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
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace_seconds)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def kill(self) -> None:
        """SIGKILL at once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def last_lines(self, count: int = 6) -> str:
        """The end of its output, in one line."""
        with contextlib.suppress(OSError), self._log.open(errors="replace") as log:
            return "Last output: " + " | ".join(line.strip()[:400] for line in deque(log, count) if line.strip())
        return ""


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
