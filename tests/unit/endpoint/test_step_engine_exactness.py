"""The step engine paints what stock diffusers paints, and the same picture whatever runs beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
)

from endpoint.contract import GenerateRequest
from endpoint.serving.paint_job import PaintJob
from endpoint.serving.stable_diffusion import StableDiffusion
from endpoint.serving.step_engine import StepEngine
from tests.fakes.generate_requests import a_request
from tests.fakes.random_checkpoint import random_stable_diffusion, zero_snr_ddim


def paint_together(pipeline: Any, requests: list[GenerateRequest], max_batch: int, **options: Any) -> list[np.ndarray]:
    """All requests are waiting when the engine starts, so that they share its steps."""
    engine = StepEngine(StableDiffusion(pipeline, **options), max_batch)
    jobs = [PaintJob(request) for request in requests]
    engine._waiting.extend(jobs)
    engine.start()
    pictures = [future.result(timeout=60) for job in jobs for future in job.pictures]
    engine.stop()
    return pictures


SCHEDULERS: dict[str, Any] = {
    "zero-snr v-prediction DDIM": zero_snr_ddim,
    "DDIM": lambda: DDIMScheduler(steps_offset=1, clip_sample=False),
    "Euler": lambda: EulerDiscreteScheduler(steps_offset=1),
    "Euler ancestral": lambda: EulerAncestralDiscreteScheduler(steps_offset=1),
    "DPM++ Karras": lambda: DPMSolverMultistepScheduler(steps_offset=1, use_karras_sigmas=True),
    "PNDM": lambda: PNDMScheduler(steps_offset=1, skip_prk_steps=True),
}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_matches_stock_diffusers(name: str, guidance_scale: float) -> None:
    pipeline = random_stable_diffusion(SCHEDULERS[name]())
    pipeline.set_progress_bar_config(disable=True)
    request = a_request(guidance_scale=guidance_scale, negative_prompt="blue", width=64, height=96)
    stock = pipeline(
        request.prompt,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        generator=torch.Generator().manual_seed(request.seeds[0]),
        output_type="np",
    ).images[0]
    model = StableDiffusion(pipeline)
    sample = _denoise(model, PaintJob(request))
    with torch.no_grad():
        ours = pipeline.vae.decode(sample.latents / pipeline.vae.config.scaling_factor).sample
    ours = pipeline.image_processor.postprocess(ours, output_type="np")[0]
    assert np.abs(ours - stock).max() < 1e-4
    with torch.inference_mode():
        assert np.abs(model.decode(sample).astype(float) / 255 - stock).max() < 1e-4 + 0.5 / 255


def test_guidance_rescale_matches_stock_diffusers() -> None:
    pipeline = random_stable_diffusion()
    pipeline.set_progress_bar_config(disable=True)
    request = a_request(guidance_scale=6.0)
    stock = pipeline(
        request.prompt,
        width=64,
        height=64,
        num_inference_steps=request.steps,
        guidance_scale=6.0,
        guidance_rescale=0.7,
        generator=torch.Generator().manual_seed(7),
        output_type="latent",
    ).images
    rescaled = _denoise(StableDiffusion(pipeline, guidance_rescale=0.7), PaintJob(request)).latents
    plain = _denoise(StableDiffusion(pipeline), PaintJob(request)).latents
    assert (rescaled - stock).abs().max() < 1e-4
    assert (plain - stock).abs().max() > 1e-3


def test_distilled_model_with_guidance_embedding_matches_stock_diffusers() -> None:
    pipeline = random_stable_diffusion(time_cond_proj_dim=16)
    pipeline.set_progress_bar_config(disable=True)
    request = a_request(guidance_scale=5.0)
    stock = pipeline(
        request.prompt,
        width=64,
        height=64,
        num_inference_steps=request.steps,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(7),
        output_type="latent",
    ).images
    ours = _denoise(StableDiffusion(pipeline), PaintJob(request)).latents
    assert (ours - stock).abs().max() < 1e-4


MIXED = [
    {"prompt": "a red star", "steps": 3, "guidance_scale": 5.0, "seeds": [1, 2]},
    {"prompt": "a blue boat", "steps": 6, "guidance_scale": 1.0, "seeds": [3]},
    {"prompt": "a green tree", "steps": 5, "guidance_scale": 2.5, "width": 96, "seeds": [4]},
    {"prompt": "a green tree", "steps": 2, "guidance_scale": 0.0, "negative_prompt": "fog", "seeds": [5]},
]


@pytest.mark.parametrize("scheduler", ["zero-snr v-prediction DDIM", "DPM++ Karras", "Euler ancestral"])
def test_alone_or_beside_others_is_the_same_to_the_bit_one_at_a_time(scheduler: str) -> None:
    requests = [a_request(**changes) for changes in MIXED]
    together = paint_together(random_stable_diffusion(SCHEDULERS[scheduler]()), requests, max_batch=1)
    alone = [
        picture
        for request in requests
        for seed in request.seeds
        for picture in paint_together(
            random_stable_diffusion(SCHEDULERS[scheduler]()), [request.model_copy(update={"seeds": [seed]})], 1
        )
    ]
    assert len({picture.tobytes() for picture in alone}) == len(alone)
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("scheduler", ["zero-snr v-prediction DDIM", "DPM++ Karras", "Euler"])
def test_batched_latents_equal_those_made_alone(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [a_request(**changes) for changes in MIXED]
    pipeline = random_stable_diffusion(SCHEDULERS[scheduler]())
    alone = [
        _denoise(StableDiffusion(pipeline), PaintJob(request), index).latents
        for request in requests
        for index in range(len(request.seeds))
    ]
    latents: dict[tuple[str, int], torch.Tensor] = {}
    sizes: list[int] = []
    decode, predict = StableDiffusion.decode, StableDiffusion.predict

    def decode_and_keep(self: StableDiffusion, sample: Any) -> Any:
        latents[sample.job.request.prompt + str(sample.job.request.steps), sample.index] = sample.latents
        return decode(self, sample)

    def predict_and_count(self: StableDiffusion, samples: Any) -> Any:
        sizes.append(len(samples))
        return predict(self, samples)

    monkeypatch.setattr(StableDiffusion, "decode", decode_and_keep)
    monkeypatch.setattr(StableDiffusion, "predict", predict_and_count)
    paint_together(pipeline, requests, max_batch=8)
    assert max(sizes) == 4, "the four pictures of equal size must have shared a step"
    together = [latents[r.prompt + str(r.steps), index] for r in requests for index in range(len(r.seeds))]
    for one, other in zip(together, alone, strict=True):
        # Relative to the latents' own size: random weights make them large under Euler.
        assert (one - other).abs().max() <= 1e-5 * max(1.0, float(other.abs().max()))


def _denoise(model: StableDiffusion, job: PaintJob, index: int = 0) -> Any:
    with torch.inference_mode():
        sample = model.begin(job, index)
        while not sample.finished:
            sample.apply(model.predict([sample])[0])
    return sample
