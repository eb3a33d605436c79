"""From a checkpoint to an engine that paints with it."""

from __future__ import annotations

import inspect
import logging
from concurrent.futures import wait
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from endpoint.contract import MIN_SIDE, GenerateRequest, OutputLocation
from endpoint.serving.checkpoint import Checkpoint, CheckpointError
from endpoint.serving.engine import Engine
from endpoint.serving.paint_job import PaintJob
from endpoint.serving.pipeline_engine import PipelineEngine
from endpoint.serving.settings import ServingSettings
from endpoint.serving.stable_diffusion import StableDiffusion
from endpoint.serving.step_engine import StepEngine

log = logging.getLogger(__name__)

# Batches don't pay on a CPU, and one picture at a time keeps every bit of it the same whatever runs beside it.
_CPU_BATCH, _GPU_BATCH = 1, 8


def load_engine(checkpoint: Checkpoint, settings: ServingSettings) -> Engine:
    """The engine, started, with the model warm. Raises `CheckpointError`, or whatever diffusers raises."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(settings.threads)
    pipeline = _load_pipeline(checkpoint, device, _dtype(settings.dtype, device, checkpoint))
    engine: Engine
    if is_stable_diffusion(pipeline):
        model = StableDiffusion(
            pipeline,
            guidance_rescale=checkpoint.guidance_rescale,
            embedding_cache_entries=settings.embedding_cache_entries,
        )
        engine = StepEngine(model, settings.max_batch or (_CPU_BATCH if device.type == "cpu" else _GPU_BATCH))
    else:
        engine = PipelineEngine(pipeline)
    engine.start()
    _warm_up(engine, checkpoint)
    log.info(
        "model loaded",
        extra={"model": checkpoint.card.name, "engine": type(engine).__name__, "device": str(device)},
    )
    return engine


def is_stable_diffusion(pipeline: Any) -> bool:
    """Whether the step engine knows this pipeline: one CLIP text encoder, a UNet without extra inputs, a KL VAE."""
    if type(pipeline).__name__ != "StableDiffusionPipeline":
        return False
    unet = pipeline.unet.config
    return unet.addition_embed_type is None and unet.encoder_hid_dim_type is None and unet.class_embed_type is None


def _load_pipeline(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Any:
    # Progress bars are for terminals; here they would be lines of the log.
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
    pipeline = DiffusionPipeline.from_pretrained(
        checkpoint.directory,
        dtype=dtype,
        variant=checkpoint.variant,
        use_safetensors=True,
        local_files_only=True,
    )
    if any(task in checkpoint.pipeline_class for task in ("Img2Img", "Inpaint")):
        # Saved for another task, with the same parts. Only then: this import costs seconds.
        from diffusers import AutoPipelineForText2Image

        pipeline = AutoPipelineForText2Image.from_pipe(pipeline)
    if "prompt" not in inspect.signature(pipeline.__call__).parameters:
        raise CheckpointError(f"{checkpoint.pipeline_class} does not paint from a text")
    for part in ("unet", "vae"):
        if getattr(pipeline, part, None) is not None:
            # Convolutions are several times faster so, on CPUs and GPUs alike.
            getattr(pipeline, part).to(memory_format=torch.channels_last)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _dtype(name: str | None, device: torch.device, checkpoint: Checkpoint) -> torch.dtype:
    if name:
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type == "cpu":
        return torch.float32
    # UNets were trained in fp16's range; the newer transformers overflow it.
    return torch.float16 if "StableDiffusionPipeline" in checkpoint.pipeline_class else torch.bfloat16


def _warm_up(engine: Engine, checkpoint: Checkpoint) -> None:
    """One step of one picture, so that the first person doesn't pay for what is made on first use."""
    card = checkpoint.card
    job = PaintJob(
        GenerateRequest(
            job_id="warm-up",
            prompt="warm up",
            width=max(MIN_SIDE, card.native_width),
            height=max(MIN_SIDE, card.native_height),
            seeds=[0],
            steps=min(2, card.max_steps),
            guidance_scale=card.default_guidance_scale,
            output=OutputLocation(bucket="none", prefix="none/"),
        )
    )
    engine.submit(job)
    wait(job.pictures)
    error = job.pictures[0].exception()
    if error is not None:
        raise error
