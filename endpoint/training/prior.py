"""Prior preservation: what the base model paints, so that training on one mug leaves everything else alone.

On these pictures the trained model must say what the base model says of the same noisy latents. That is stricter than
the usual way (DreamBooth's: the noise that was added), and steadier: where nothing has changed there is no gradient.
"""

from __future__ import annotations

import hashlib
import logging
import re
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
    """What is painted, in turns: the class, the captions with the class in the trigger's place, nothing.

    The captions' other words must not learn what is the trigger's. An empty prompt shows all that the model knows.
    """
    captions = (_of_the_class(picture.caption, request) for picture in request.pictures)
    prompts = list(dict.fromkeys((request.class_prompt, *captions, "")))
    return [prompts[number % len(prompts)] for number in range(request.prior_pictures)]


def _of_the_class(caption: str, request: TrainingRequest) -> str:
    """ "a zblx on a shelf" and "a zblx mug on a shelf" both become "a mug on a shelf" """
    named = re.sub(r"^(an?|the)\s+", "", request.class_prompt.strip(), flags=re.IGNORECASE)
    instead = "" if named.casefold() in caption.casefold() else named
    return " ".join(re.sub(re.escape(request.trigger), lambda _: instead, caption, flags=re.IGNORECASE).split())


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
