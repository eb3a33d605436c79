"""Any other diffusers pipeline is painted with as a whole: here a tiny SDXL."""

from __future__ import annotations

import json
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from endpoint.serving.checkpoint import Checkpoint
from endpoint.serving.errors import InvocationFailed, cancelled
from endpoint.serving.load_model import load_engine
from endpoint.serving.paint_job import PaintJob
from endpoint.serving.pipeline_engine import PipelineEngine
from endpoint.serving.settings import ServingSettings
from endpoint.serving.step_engine import StepEngine
from tests.fakes.generate_requests import a_request
from tests.fakes.random_checkpoint import random_stable_diffusion, random_stable_diffusion_xl, save

SETTINGS = ServingSettings.from_environment({"EASEL_THREADS": "1"})


@pytest.fixture(scope="module")
def pipeline() -> Any:
    pipeline = random_stable_diffusion_xl()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_paints_what_the_pipeline_paints_in_turns(pipeline: Any) -> None:
    jobs = [PaintJob(a_request(seeds=[1, 2], negative_prompt="fog")), PaintJob(a_request(width=96, seeds=[3]))]
    stock = [
        pipeline(
            job.request.prompt,
            negative_prompt=job.request.negative_prompt or None,
            width=job.request.width,
            height=job.request.height,
            num_inference_steps=job.request.steps,
            guidance_scale=job.request.guidance_scale,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        ).images[0]
        for job in jobs
        for seed in job.request.seeds
    ]
    engine = PipelineEngine(pipeline)
    engine._waiting.extend(jobs)
    engine.start()
    pictures = [picture.result(60) for job in jobs for picture in job.pictures]
    for picture, expected in zip(pictures, stock, strict=True):
        assert np.array_equal(picture, (expected * 255).round().astype(np.uint8))
    assert all(job.progress().step == job.progress().steps for job in jobs)
    engine.stop()
    assert not engine.alive()


class SpoiledPipeline:
    """Counts its steps, and does as it is told at the second one."""

    def __init__(self, at_second_step: Any) -> None:
        self.num_timesteps = 50
        self.steps = 0
        self._at_second_step = at_second_step

    def __call__(
        self, prompt: str, width: int, height: int, num_inference_steps: int, callback_on_step_end: Any
    ) -> Any:
        for step in range(num_inference_steps):
            self.steps += 1
            if step == 1:
                self._at_second_step()
            callback_on_step_end(self, step, 0, {})
        return type("Output", (), {"images": [np.full((height, width, 3), np.nan)]})


def failure(job: PaintJob) -> InvocationFailed:
    wait(job.pictures, 30)
    error = job.pictures[-1].exception(0)
    assert isinstance(error, InvocationFailed)
    return error


def test_cancelled_at_a_step() -> None:
    job = PaintJob(a_request(steps=50, seeds=[1, 2]))
    pipeline = SpoiledPipeline(lambda: job.stop(cancelled()))
    engine = PipelineEngine(pipeline)
    engine.start()
    engine.submit(job)
    assert failure(job).code == "cancelled"
    assert pipeline.steps == 2
    assert engine.alive()
    engine.stop()


def test_stopping_ends_it_at_a_step() -> None:
    job = PaintJob(a_request(steps=50))
    engine: PipelineEngine
    pipeline = SpoiledPipeline(lambda: setattr(engine, "_stopping", True))
    engine = PipelineEngine(pipeline)
    engine.start()
    engine.submit(job)
    assert failure(job).code == "unavailable"
    assert pipeline.steps == 2
    engine.stop()


def test_not_a_number_is_a_failure() -> None:
    job = PaintJob(a_request(steps=3))
    engine = PipelineEngine(SpoiledPipeline(lambda: None))
    assert not engine.takes_negative_prompt
    engine.start()
    engine.submit(job)
    assert failure(job).code == "model_failed"
    engine.stop()


def test_checkpoint_of_another_task_paints_from_text(tmp_path: Path) -> None:
    from diffusers import StableDiffusionImg2ImgPipeline

    other = StableDiffusionImg2ImgPipeline.from_pipe(random_stable_diffusion())
    engine = load_engine(Checkpoint.read(save(other, tmp_path)), SETTINGS)
    assert type(engine) is StepEngine
    engine.stop()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_paints_nearly_the_same_in_every_precision(tmp_path: Path, dtype: str) -> None:
    checkpoint = Checkpoint.read(save(random_stable_diffusion(), tmp_path))
    engine = load_engine(checkpoint, ServingSettings.from_environment({"EASEL_THREADS": "1", "EASEL_DTYPE": dtype}))
    job = PaintJob(a_request())
    engine.submit(job)
    stock = random_stable_diffusion()
    picture = stock(
        job.request.prompt,
        width=64,
        height=64,
        num_inference_steps=job.request.steps,
        guidance_scale=job.request.guidance_scale,
        generator=torch.Generator().manual_seed(job.request.seeds[0]),
        output_type="np",
    ).images[0]
    difference = np.abs(job.pictures[0].result(60) / 255 - picture).max()
    assert difference < (0.5 / 255 + 1e-4 if dtype == "float32" else 0.1)
    engine.stop()


def test_each_checkpoint_gets_its_engine(tmp_path: Path) -> None:
    card = json.dumps({"native_width": 64, "native_height": 64, "default_steps": 1})
    others = save(random_stable_diffusion_xl(), tmp_path / "xl", card)
    known = save(random_stable_diffusion(), tmp_path / "sd", card)
    for directory, kind in ((others, PipelineEngine), (known, StepEngine)):
        engine = load_engine(Checkpoint.read(directory), SETTINGS)
        assert type(engine) is kind
        job = PaintJob(a_request())
        engine.submit(job)
        assert job.pictures[0].result(60).shape == (64, 64, 3)
        engine.stop()
