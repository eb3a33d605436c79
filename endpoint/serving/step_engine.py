"""Batches at the level of denoising steps: a picture joins at the next step and shares the UNet's forward.

Every picture keeps its own timestep, scheduler, guidance and random numbers, so that who else is being painted changes
nothing but the time. Decoding happens between steps, one picture at a time.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from endpoint.serving.engine import Engine, is_out_of_memory
from endpoint.serving.errors import model_failed, out_of_memory
from endpoint.serving.loras.library import ChosenLora
from endpoint.serving.loras.low_rank import Lora, LoraSet
from endpoint.serving.paint_job import PaintJob
from endpoint.serving.sample import Sample
from endpoint.serving.stable_diffusion import StableDiffusion

log = logging.getLogger(__name__)


class StepEngine(Engine):
    """Takes turns among all running pictures, `max_batch` of equal size a step."""

    def __init__(self, model: StableDiffusion, max_batch: int) -> None:
        super().__init__()
        self._model = model
        self._max_batch = max_batch
        self._samples: deque[Sample] = deque()

    def read_lora(self, path: Path, sha256: str) -> Lora:
        try:
            return self._model.read_lora(path, sha256)
        except Exception as error:
            raise _told(error) from error

    def combine_loras(self, chosen: Sequence[ChosenLora[Lora]]) -> LoraSet | None:
        try:
            return self._model.combine_loras([(each.lora, each.weight) for each in chosen])
        except Exception as error:
            raise _told(error) from error

    def busy(self) -> bool:
        return bool(self._samples)

    def running(self) -> list[PaintJob]:
        return [sample.job for sample in self._samples]

    def take_up(self, job: PaintJob) -> None:
        job.begin()
        self._samples.extend([self._model.begin(job, index) for index in range(len(job.pictures))])

    def paint_some(self) -> None:
        self._drop_stopped()
        batch = self._next_batch()
        if not batch:
            self._model.forget_loras()
            return
        started = time.monotonic()
        self._step(batch)
        elapsed = time.monotonic() - started
        for job in {id(sample.job): sample.job for sample in batch}.values():
            job.denoise_seconds += elapsed
        for sample in batch:
            if sample.job.stopped:
                sample.job.fail(sample.job.stopped)
            elif sample.finished:
                self._decode(sample)
            else:
                self._samples.append(sample)
        if not self._samples:
            self._model.forget_loras()

    def _drop_stopped(self) -> None:
        for job in {id(sample.job): sample.job for sample in self._samples}.values():
            if job.stopped:
                job.fail(job.stopped)
        self._samples = deque(sample for sample in self._samples if not sample.job.stopped)

    def _next_batch(self) -> list[Sample]:
        """The picture that waited longest, and those of its size that follow."""
        batch: list[Sample] = []
        passed: list[Sample] = []
        while self._samples and len(batch) < self._max_batch:
            sample = self._samples.popleft()
            fits = not batch or (
                sample.latents.shape == batch[0].latents.shape
                and (sample.timestep_condition is None) == (batch[0].timestep_condition is None)
            )
            (batch if fits else passed).append(sample)
        self._samples.extendleft(reversed(passed))
        return batch

    def _step(self, batch: list[Sample]) -> None:
        try:
            predictions = self._model.predict(batch)
        except Exception as error:
            if len(batch) == 1:
                self.fail(batch[0].job, error)
                return
            # Nothing was changed yet: alone, each goes on, and only whoever is at fault fails.
            if is_out_of_memory(error):
                self._max_batch = max(1, len(batch) // 2)
                self._model.forget_loras()
                log.warning("out of memory: smaller batches from now on", extra={"max_batch": self._max_batch})
            for sample in batch:
                if not sample.job.stopped:
                    self._step([sample])
            return
        for sample, prediction in zip(batch, predictions, strict=True):
            if sample.job.stopped:
                continue
            try:
                sample.apply(prediction)
            except Exception as error:
                self.fail(sample.job, error)

    def _decode(self, sample: Sample) -> None:
        started = time.monotonic()
        try:
            if not bool(sample.latents.isfinite().all()):
                raise model_failed()
            pixels = self._model.decode(sample)
        except Exception as error:
            self.fail(sample.job, error)
            return
        sample.job.decode_seconds += time.monotonic() - started
        sample.job.pictures[sample.index].set_result(pixels)


def _told(error: Exception) -> Exception:
    """What doesn't fit the device is said as for pictures; the rest is as it was."""
    return out_of_memory() if is_out_of_memory(error) else error
