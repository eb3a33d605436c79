"""Where accepted invocations go."""

from __future__ import annotations

from typing import Protocol

from bot.invocation import Invocation


class QueueUnavailable(Exception):
    """The queue did not take the message."""


class InvocationQueue(Protocol):
    """Where accepted invocations go."""

    def send(self, invocation: Invocation) -> None:
        """Returns once the queue has it; raises `QueueUnavailable`."""
        ...
