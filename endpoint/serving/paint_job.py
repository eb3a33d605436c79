"""One accepted request while it is being painted: shared by the web side and the engine's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endpoint.contract import GenerateRequest, Progress
from endpoint.serving.errors import InvocationFailed

Pixels = NDArray[np.uint8]
"""Height × width × 3, RGB."""


@dataclass(eq=False)
class PaintJob:
    """The engine fills `pictures` in the order of the request's seeds; an exception there is `InvocationFailed`.

    Seconds are of `time.monotonic`. The engine's thread writes, anyone reads.
    """

    request: GenerateRequest
    pictures: list[Future[Pixels]] = field(init=False)
    loras: Any = field(default=None, init=False)
    """What the engine's `combine_loras` made of the request's LoRAs, set before it is submitted; None without any."""
    created_at: float = field(default_factory=time.monotonic, init=False)
    begun_at: float | None = field(default=None, init=False)
    denoise_seconds: float = field(default=0.0, init=False)
    decode_seconds: float = field(default=0.0, init=False)
    _fractions: list[float] = field(init=False)
    _stopped: InvocationFailed | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.pictures = [Future() for _ in self.request.seeds]
        for picture in self.pictures:
            picture.set_running_or_notify_cancel()  # from here on only the engine ends it
        self._fractions = [0.0] * len(self.request.seeds)

    @property
    def stopped(self) -> InvocationFailed | None:
        """Why the engine should drop this job at the next step, if it should."""
        return self._stopped

    def stop(self, reason: InvocationFailed) -> None:
        """Ask the engine to drop the job at its next step; the first reason counts."""
        if self._stopped is None:
            self._stopped = reason

    def fail(self, reason: InvocationFailed) -> None:
        """End every picture that is not finished yet."""
        for picture in self.pictures:
            if not picture.done():
                picture.set_exception(reason)
        self.stop(reason)

    def when_done(self, call: Callable[[], None]) -> None:
        """Call once, from whichever thread, when no picture is being painted any more."""
        left = len(self.pictures)
        lock = threading.Lock()

        def one_less(_: Future[Pixels]) -> None:
            nonlocal left
            with lock:
                left -= 1
                last = left == 0
            if last:
                call()

        for picture in self.pictures:
            picture.add_done_callback(one_less)

    def begin(self) -> None:
        """The engine has taken the job up."""
        if self.begun_at is None:
            self.begun_at = time.monotonic()

    def advance(self, index: int, fraction: float) -> None:
        """Picture `index` is denoised to this fraction (0–1)."""
        self._fractions[index] = fraction

    @property
    def waited_seconds(self) -> float:
        """Time until the engine took it up."""
        return max(0.0, (self.begun_at if self.begun_at is not None else time.monotonic()) - self.created_at)

    def progress(self) -> Progress:
        """Steps over all pictures, in the request's own unit whatever the scheduler makes of it."""
        total = self.request.steps * len(self.request.seeds)
        done = int(sum(self._fractions) * self.request.steps + 1e-6)
        return Progress(job_id=self.request.job_id, step=min(done, total), steps=total)
