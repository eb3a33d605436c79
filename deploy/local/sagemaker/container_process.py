"""A container's entry point as a process: started, watched, ended."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import secrets
import signal
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class ContainerProcess:
    """Runs `command` with exactly this environment, its output in `log`. It ends with this process, on Linux."""

    def __init__(self, command: list[str], environment: Mapping[str, str], directory: Path, log: Path) -> None:
        self.id = "i-" + secrets.token_hex(8)
        self._command = command
        self._environment = dict(environment)
        self._directory = directory
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def launch(self) -> None:
        """Start it."""
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

    async def ended(self) -> int:
        """Wait for the process's end; its exit status, that of a shell: 128 + the signal that ended it."""
        assert self._process is not None
        status = await self._process.wait()
        return status if status >= 0 else 128 - status

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._log

    async def terminate(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace_seconds)
        except TimeoutError:
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """SIGKILL at once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def last_lines(self, count: int = 6) -> str:
        """The end of its output, in one line."""
        with contextlib.suppress(OSError), self._log.open(errors="replace") as log:
            return "Last output: " + " | ".join(line.strip()[:400] for line in deque(log, count) if line.strip())
        return ""


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
