"""The model that is trained on: a Stable Diffusion checkpoint, frozen."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from endpoint.serving.checkpoint import Checkpoint, CheckpointError
from endpoint.training.failures import model_not_trainable, model_unreadable
from endpoint.training.objective import PREDICTION_TYPES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BaseModel:
    """A loaded checkpoint and where it is computed. `precision`: what autocast computes in, None for none."""

    checkpoint: Checkpoint
    pipeline: Any
    device: torch.device
    precision: torch.dtype | None

    @property
    def unet(self) -> Any:
        """What paints, and what is trained."""
        return self.pipeline.unet

    @property
    def text_encoder(self) -> Any:
        """What reads captions."""
        return self.pipeline.text_encoder

    def autocast(self) -> AbstractContextManager[Any]:
        """Computes what may be computed in less than float32 so, on a GPU that can."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.precision)

    def tokens(self, caption: str) -> torch.Tensor:
        """Token ids, 1 × the tokenizer's length."""
        tokenizer = self.pipeline.tokenizer
        ids: torch.Tensor = tokenizer(
            [caption],
            padding="max_length",
            truncation=True,
            max_length=tokenizer.model_max_length,
            return_tensors="pt",
        ).input_ids
        return ids.to(self.device)

    def read(self, tokens: torch.Tensor) -> torch.Tensor:
        """The text encoder's hidden states, as the pipeline gives them to the UNet."""
        states: torch.Tensor = self.text_encoder(tokens, return_dict=False)[0]
        return states


def load_base_model(directory: Path) -> BaseModel:
    """Everything frozen, on the GPU where there is one. Raises `TrainingFailed`."""
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
    try:
        checkpoint = Checkpoint.read(directory)
    except CheckpointError as error:
        raise model_unreadable(str(error)) from error
    name = checkpoint.card.name
    if checkpoint.pipeline_class != "StableDiffusionPipeline":
        raise model_not_trainable(name, f"{checkpoint.pipeline_class} is not Stable Diffusion 1 or 2")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else None
    try:
        pipeline = DiffusionPipeline.from_pretrained(
            directory,
            dtype=torch.float32,
            variant=checkpoint.variant,
            use_safetensors=True,
            local_files_only=True,
            # Samples are the team's own pictures of what it trains; results of jobs are checked where they are made.
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise model_unreadable("its files are damaged or incomplete") from error
    unet = pipeline.unet.config
    if unet.addition_embed_type or unet.encoder_hid_dim_type or unet.class_embed_type or unet.time_cond_proj_dim:
        raise model_not_trainable(name, "it wants more than a text")
    prediction_type = pipeline.scheduler.config.get("prediction_type", "epsilon")
    if prediction_type not in PREDICTION_TYPES:
        raise model_not_trainable(name, f"it predicts {prediction_type}, not noise or velocity")
    if getattr(pipeline.scheduler, "alphas_cumprod", None) is None:
        raise model_not_trainable(name, "its scheduler has no noise schedule")
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)
        part.eval()
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    if precision is not None:
        # Frozen weights need no more; the LoRA's own stay in float32. So do the VAE, which overflows, and the text
        # encoder: latents take their type from it, and a scheduler's many small steps would be rounded away.
        pipeline.unet.to(precision)
    for part in (pipeline.unet, pipeline.vae):
        part.to(memory_format=torch.channels_last)
    if device.type == "cpu":
        # The fused attention's way back takes several times as long as plain matrix products on a CPU.
        pipeline.unet.set_attn_processor(AttnProcessor())
    log.info("model loaded", extra={"model": name, "device": str(device), "precision": str(precision)})
    return BaseModel(checkpoint, pipeline, device, precision)
