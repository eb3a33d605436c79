"""What paints: one thread that owns the model and takes jobs up at its own pace."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from endpoint.serving.errors import InvocationFailed, model_failed, out_of_memory, unavailable
from endpoint.serving.loras.library import ChosenLora, Sized
from endpoint.serving.paint_job import PaintJob

log = logging.getLogger(__name__)


class Engine(ABC):
    """Runs `paint_some` on a thread of its own for as long as there is work.

    Whatever one job raises ends that job alone; the thread goes on.
    """

    takes_negative_prompt = True

    def __init__(self) -> None:
        self._waiting: deque[PaintJob] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin taking jobs up."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether jobs still get painted."""
        return self._thread.is_alive() and not self._stopping

    def submit(self, job: PaintJob) -> None:
        """Queue a job; its `pictures` are filled later. Raises `InvocationFailed` (`unavailable`) once stopped."""
        with self._wake:
            if not self.alive():
                raise unavailable()
            self._waiting.append(job)
            self._wake.notify()

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Drop all work at the next step boundary (`unavailable`) and end the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            with torch.inference_mode():
                while self._next_turn():
                    self.paint_some()
        except BaseException:
            log.exception("the engine's thread ended: this instance is broken")
            raise
        finally:
            self._stopping = True
            self._drop_everything()

    def _next_turn(self) -> bool:
        """Take up what has arrived; sleep while there is nothing to do. False once stopped."""
        with self._wake:
            while not (self._waiting or self.busy() or self._stopping):
                self._wake.wait()
            if self._stopping:
                return False
            arrived = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for job in arrived:
            if job.stopped:
                job.fail(job.stopped)
                continue
            try:
                self.take_up(job)
            except Exception as error:
                self.fail(job, error)
        return True

    def _drop_everything(self) -> None:
        with self._wake:
            jobs = [*self._waiting, *self.running()]
            self._waiting.clear()
        for job in jobs:
            job.fail(unavailable())

    def fail(self, job: PaintJob, error: Exception) -> None:
        """End a job for what its painting raised; what was raised goes to the log alone."""
        failure = failure_for(error)
        if failure.reference is not None:
            log.error(
                "painting failed",
                exc_info=error,
                extra={"job_id": job.request.job_id, "code": failure.code, "reference": failure.reference},
            )
        job.fail(failure)

    @abstractmethod
    def read_lora(self, path: Path, sha256: str) -> Sized:
        """A LoRA file as this engine uses it; on any thread but the engine's. Raises `LoraUnusable`."""

    @abstractmethod
    def combine_loras(self, chosen: Sequence[ChosenLora[Any]]) -> Any:
        """What a job of these LoRAs carries as `loras`; on any thread but the engine's."""

    @abstractmethod
    def busy(self) -> bool:
        """Whether `paint_some` has anything to do."""

    @abstractmethod
    def running(self) -> list[PaintJob]:
        """Jobs that were taken up and are not finished."""

    @abstractmethod
    def take_up(self, job: PaintJob) -> None:
        """Begin a job (on the engine's thread)."""

    @abstractmethod
    def paint_some(self) -> None:
        """One bounded piece of work; must raise nothing on a job's account."""


def failure_for(error: Exception) -> InvocationFailed:
    """What an exception from the model means to the caller."""
    if isinstance(error, InvocationFailed):
        return error
    return out_of_memory() if is_out_of_memory(error) else model_failed()


def is_out_of_memory(error: Exception) -> bool:
    """CUDA has an exception of its own; the CPU's allocator only says so in words."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
