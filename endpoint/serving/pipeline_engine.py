"""Paints with a whole diffusers pipeline, one picture after the other: for every model the step engine doesn't know."""

from __future__ import annotations

import inspect
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from endpoint.serving.engine import Engine
from endpoint.serving.errors import unavailable
from endpoint.serving.loras.library import ChosenLora
from endpoint.serving.loras.pipeline_loras import LoraContent, PipelineLoras
from endpoint.serving.paint_job import PaintJob, Pixels
from endpoint.serving.stable_diffusion import to_pixels


class PipelineEngine(Engine):
    """Jobs take turns picture by picture; a job stops at the next step where the pipeline calls back."""

    def __init__(self, pipeline: Any) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._accepted = frozenset(inspect.signature(pipeline.__call__).parameters)
        self.takes_negative_prompt = "negative_prompt" in self._accepted
        self._turns: deque[tuple[PaintJob, int]] = deque()
        self._loras = PipelineLoras(pipeline)

    def read_lora(self, path: Path, sha256: str) -> LoraContent:
        return LoraContent.read(path, sha256)

    def combine_loras(self, chosen: Sequence[ChosenLora[LoraContent]]) -> Sequence[ChosenLora[LoraContent]]:
        return chosen

    def busy(self) -> bool:
        return bool(self._turns)

    def running(self) -> list[PaintJob]:
        return [job for job, _ in self._turns]

    def take_up(self, job: PaintJob) -> None:
        self._turns.append((job, 0))

    def paint_some(self) -> None:
        job, index = self._turns[0]
        if job.stopped:
            job.fail(job.stopped)
            self._turns.popleft()
            return
        job.begin()
        started = time.monotonic()
        try:
            pixels = self._paint(job, index)
        except Exception as error:
            self.fail(job, error)
            self._turns.popleft()
            return
        job.denoise_seconds += time.monotonic() - started
        job.pictures[index].set_result(pixels)
        self._turns.popleft()
        if index + 1 < len(job.pictures):
            self._turns.append((job, index + 1))

    def _paint(self, job: PaintJob, index: int) -> Pixels:
        request = job.request

        def after_step(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if job.stopped:
                raise job.stopped
            if self._stopping:
                raise unavailable()
            job.advance(index, min(1.0, (step + 1) / max(1, getattr(pipeline, "num_timesteps", request.steps))))
            return tensors

        options: dict[str, Any] = {
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt or None,
            "width": request.width,
            "height": request.height,
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance_scale,
            "generator": torch.Generator("cpu").manual_seed(request.seeds[index]),
            "output_type": "np",
            "callback_on_step_end": after_step,
        }
        self._loras.use(job.loras or ())
        result = self._pipeline(**{name: value for name, value in options.items() if name in self._accepted})
        job.advance(index, 1.0)
        return to_pixels(result.images[0])
