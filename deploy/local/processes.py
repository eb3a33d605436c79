"""Child processes of the one-machine stack: started apart, ended together, never left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class ChildFailed(Exception):
    """A part of the stack ended or never answered; the message names it and its last lines."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """Starts processes that log to files, and stops every one of them.

    Each runs in a session of its own, so that Ctrl-C in the terminal reaches the stack and not its parts: the stack
    ends them in the reverse order of their start. On Linux a child also ends when this process is killed.
    """

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start `python <arguments>` with exactly this environment, its output in `<log folder>/<name>.log`."""
        with self.log(name).open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        self._children.append((name, child))

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._log_folder / f"{name}.log"

    def wait_until(self, name: str, ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait until `ready()`; raise `ChildFailed` when the child ends first or time runs out."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            self.check(name)
            if time.monotonic() > deadline:
                raise ChildFailed(f"{name} did not answer within {timeout_seconds:.0f} s:\n{self.last_lines(name)}")
            time.sleep(0.05)

    def check(self, name: str) -> None:
        """Raise `ChildFailed` when the child has ended."""
        for child_name, child in self._children:
            if child_name == name and child.poll() is not None:
                raise ChildFailed(f"{name} ended with status {child.returncode}:\n{self.last_lines(name)}")

    def check_all(self) -> None:
        """Raise `ChildFailed` when any child has ended."""
        for name, _ in self._children:
            self.check(name)

    def last_lines(self, name: str, count: int = 12) -> str:
        """The end of a child's log, indented."""
        with contextlib.suppress(OSError):
            lines = self.log(name).read_text(errors="replace").splitlines()[-count:]
            return "\n".join(f"  {line}" for line in lines)
        return "  (no log)"

    def stop(self, grace_seconds: float = 10) -> None:
        """End every child, last started first: SIGTERM, then SIGKILL to its whole session after the grace."""
        for _, child in reversed(self._children):
            if child.poll() is None:
                child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(grace_seconds)
            # Also what the child itself started and did not end: its session bears its pid.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self._children.clear()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def answers(url: str) -> bool:
    """Whether an HTTP server answers there at all, with whatever status."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - an address of our own
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
