"""The miniature model as diffusers knows it: its parts put together, saved in half precision, loaded in full."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from endpoint.tiny.draw import NATIVE_SIZE
from endpoint.tiny.training_presets import PRESETS

MODEL_DIR = Path(__file__).parent / "model"
DEFAULT_STEPS = 20
DEFAULT_GUIDANCE_SCALE = 2.0
# What a server needs to know of a model, beside diffusers' own files.
EASEL_JSON = {
    "name": "tiny",
    "title": "Easel Tiny",
    "native_width": NATIVE_SIZE,
    "native_height": NATIVE_SIZE,
    "size_multiple": 16,
    "default_steps": DEFAULT_STEPS,
    "default_guidance_scale": DEFAULT_GUIDANCE_SCALE,
    "max_steps": 50,
    "max_pixels": 393216,
    "license": "Apache-2.0",
    "training": PRESETS,
}


def new_scheduler() -> DDIMScheduler:
    """v-prediction down to a signal of exactly zero, so that a flat background gets the colour that was asked for."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def assemble(
    vae: AutoencoderKL, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer
) -> StableDiffusionPipeline:
    """The pipeline of these parts, with nothing to check pictures for: it can only draw the world."""
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """Writes the pipeline (fp16 safetensors) and `easel.json`. The pipeline itself stays in full precision."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = (pipeline.vae, pipeline.unet, pipeline.text_encoder)
    for part in parts:
        part.to(torch.float16)
    try:
        pipeline.save_pretrained(folder, safe_serialization=True)
    finally:
        for part in parts:
            part.to(torch.float32)
    (folder / "easel.json").write_text(json.dumps(EASEL_JSON, indent=2) + "\n")


def load(folder: Path = MODEL_DIR) -> StableDiffusionPipeline:
    """The saved pipeline, in full precision on the CPU, in the memory order that is fastest for small convolutions."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.to(memory_format=torch.channels_last)
    pipeline.vae.to(memory_format=torch.channels_last)
    return pipeline
