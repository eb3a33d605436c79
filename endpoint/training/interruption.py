"""SIGTERM: SageMaker's notice, two minutes ahead, that a spot instance is taken away or that the job is stopped."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from endpoint.training.failures import Interrupted


class Interruption:
    """Remembers that it was asked for; the training looks between two pieces of work."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def listen(self) -> None:
        """From now on SIGTERM and SIGINT ask. Only from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def ask(self) -> None:
        """End at the next opportunity."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether to end."""
        return self._asked.is_set()

    def end_if_asked(self) -> None:
        """Raises `Interrupted` where it was asked for."""
        if self.asked:
            raise Interrupted

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.ask()
