"""Prior preservation: what the base model paints of the class, so that training on one mug leaves other mugs alone."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from endpoint.training.base_model import BaseModel
from endpoint.training.interruption import Interruption
from endpoint.training.randomness import generator
from endpoint.training_contract import TrainingRequest

log = logging.getLogger(__name__)

_TOGETHER = 4
_FILE = "prior.safetensors"


def prior_latents(
    model: BaseModel, request: TrainingRequest, size: tuple[int, int], checkpoints: Path, interruption: Interruption
) -> list[torch.Tensor]:
    """Latents of the pictures (width × height) of `prior_prompts`, painted before any training.

    They never become pixels: what the UNet ends with is what it learns from. Kept beside the checkpoints.
    """
    if not request.prior_pictures:
        return []
    path, wanted = checkpoints / _FILE, _digest(model, request, size)
    try:
        kept = load_file(path, device=str(model.device))
        if set(kept) == {wanted}:
            return list(kept[wanted])
    except (OSError, SafetensorError):
        pass
    latents = _paint(model, request, size, interruption)
    partial = path.with_suffix(".partial")
    save_file({wanted: torch.stack(latents).cpu()}, partial)
    partial.replace(path)
    log.info("prior painted", extra={"pictures": len(latents)})
    return latents


def prior_prompts(request: TrainingRequest) -> list[str]:
    """What the pictures are painted of: the class, and every other one of nothing in particular.

    An empty prompt shows everything that the model knows, so that what the class has nothing to do with stays as well.
    """
    return [request.class_prompt if number % 2 == 0 else "" for number in range(request.prior_pictures)]


def _paint(
    model: BaseModel, request: TrainingRequest, size: tuple[int, int], interruption: Interruption
) -> list[torch.Tensor]:
    card, painted = model.checkpoint.card, []
    for first in range(0, request.prior_pictures, _TOGETHER):
        interruption.end_if_asked()
        numbers = range(first, min(first + _TOGETHER, request.prior_pictures))
        with model.autocast():
            latents = model.pipeline(
                [prior_prompts(request)[number] for number in numbers],
                width=size[0],
                height=size[1],
                num_inference_steps=card.default_steps,
                guidance_scale=card.default_guidance_scale,
                generator=[generator(request.seed, "prior", number) for number in numbers],
                output_type="latent",
            ).images
        painted += list(latents.float())
    return painted


def _digest(model: BaseModel, request: TrainingRequest, size: tuple[int, int]) -> str:
    facts = (model.checkpoint.fingerprint, prior_prompts(request), request.seed, size)
    return hashlib.sha256(repr(facts).encode()).hexdigest()
