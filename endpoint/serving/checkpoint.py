"""What a model directory holds, read without loading any weights."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from endpoint.contract import MAX_SIDE, MAX_STEPS, MIN_SIDE, ModelCard

CARD_NAME = "easel.json"
INDEX_NAME = "model_index.json"


class CheckpointError(Exception):
    """The directory holds no checkpoint that can be served; the text says what is missing."""


@dataclass(frozen=True)
class Checkpoint:
    """A diffusers checkpoint on disk.

    `fingerprint`: the first ten hexadecimal digits of the denoiser's weights' SHA-256, as image tools show them.
    """

    directory: Path
    pipeline_class: str
    card: ModelCard
    guidance_rescale: float
    variant: str | None
    sampler: str
    fingerprint: str

    @staticmethod
    def read(directory: Path, model_name: str | None = None) -> Checkpoint:
        """Reads the configuration files and hashes the denoiser's weights. Raises `CheckpointError`."""
        index = _read_json(directory / INDEX_NAME)
        pipeline_class = index.get("_class_name")
        if not isinstance(pipeline_class, str):
            raise CheckpointError(f"{INDEX_NAME} names no pipeline class")
        given = _read_json(directory / CARD_NAME) if (directory / CARD_NAME).exists() else {}
        values = {**_derived_card(directory, index), **given}
        if model_name:
            values["name"] = model_name
        try:
            card = ModelCard.model_validate(values)
        except ValidationError as error:
            wrong = ", ".join(".".join(map(str, detail["loc"])) for detail in error.errors())
            raise CheckpointError(f"{CARD_NAME} can't be used: {wrong}") from error
        denoiser = "unet" if (directory / "unet").is_dir() else "transformer"
        return Checkpoint(
            directory=directory,
            pipeline_class=pipeline_class,
            card=card,
            guidance_rescale=float(given.get("guidance_rescale", 0.0)),
            variant=_variant(directory / denoiser),
            sampler=_sampler(directory),
            fingerprint=_fingerprint(directory / denoiser),
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} has no {path.name}: it is not a diffusers checkpoint") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path.name} can't be read") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name} is not a JSON object")
    return value


def _component(directory: Path, name: str) -> dict[str, Any]:
    path = directory / name / "config.json"
    return _read_json(path) if path.exists() else {}


def _derived_card(directory: Path, index: dict[str, Any]) -> dict[str, Any]:
    """The card for a checkpoint that has none: its own sizes, and settings that suit most models."""
    vae = _component(directory, "vae")
    factor = 2 ** (len(vae.get("block_out_channels", [0] * 4)) - 1)
    denoiser = _component(directory, "unet") or _component(directory, "transformer")
    latent_side = denoiser.get("sample_size")
    latent_side = latent_side if isinstance(latent_side, int) else 64
    patch = denoiser.get("patch_size", 1)
    patch = patch if isinstance(patch, int) else 1
    side = min(MAX_SIDE, max(MIN_SIDE, latent_side * factor))
    title = str(index.get("_name_or_path") or directory.resolve().name)[-80:]
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:63].strip("-") or "model"
    return {
        "name": name,
        "title": title,
        "native_width": side,
        "native_height": side,
        "size_multiple": max(8, factor * patch),
        "default_steps": 25,
        "default_guidance_scale": 7.0,
        "max_steps": MAX_STEPS,
        "max_pixels": min(MAX_SIDE * MAX_SIDE, 4 * side * side),
    }


def _variant(denoiser: Path) -> str | None:
    """`fp16` where only such weights are there."""
    names = [path.name for path in denoiser.glob("*.safetensors")]
    if not names:
        raise CheckpointError(f"{denoiser.name}/ has no .safetensors file; pickled weights are never loaded")
    return "fp16" if all(".fp16" in name for name in names) else None


def _fingerprint(denoiser: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(denoiser.glob("*.safetensors")):
        with path.open("rb") as file:
            while chunk := file.read(1 << 22):
                digest.update(chunk)
    return digest.hexdigest()[:10]


_SAMPLERS = {
    "DDIMScheduler": "DDIM",
    "DDPMScheduler": "DDPM",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "DPMSolverSDEScheduler": "DPM++ SDE",
    "DPMSolverSinglestepScheduler": "DPM++ 2S",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "EulerDiscreteScheduler": "Euler",
    "FlowMatchEulerDiscreteScheduler": "Euler",
    "HeunDiscreteScheduler": "Heun",
    "KDPM2AncestralDiscreteScheduler": "DPM2 a",
    "KDPM2DiscreteScheduler": "DPM2",
    "LCMScheduler": "LCM",
    "LMSDiscreteScheduler": "LMS",
    "PNDMScheduler": "PLMS",
    "UniPCMultistepScheduler": "UniPC",
}


def _sampler(directory: Path) -> str:
    """The scheduler's name as image tools write it."""
    path = directory / "scheduler" / "scheduler_config.json"
    config = _read_json(path) if path.exists() else {}
    class_name = str(config.get("_class_name", "unknown"))
    name = _SAMPLERS.get(class_name, class_name.removesuffix("Scheduler"))
    return f"{name} Karras" if config.get("use_karras_sigmas") else name
