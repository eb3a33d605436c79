"""The names of tensors in LoRA files: diffusers' (old and new), peft's and kohya's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from endpoint.serving.loras.errors import LoraUnusable


class Part(StrEnum):
    """The parts of a Stable Diffusion model that LoRAs change, by diffusers' prefixes."""

    UNET = "unet"
    TEXT_ENCODER = "text_encoder"


class Role(StrEnum):
    """What a tensor is to its module: the module gets `alpha / rank` · up · down."""

    DOWN = "down"
    UP = "up"
    ALPHA = "alpha"


@dataclass(frozen=True)
class TensorName:
    """Which module of the model a tensor belongs to. `module` is what `named_modules` calls it."""

    part: Part
    module: str
    role: Role
    kohya: bool


_KOHYA = {"lora_unet_": Part.UNET, "lora_te_": Part.TEXT_ENCODER, "lora_te1_": Part.TEXT_ENCODER}
_KOHYA_ROLES = {".lora_down.weight": Role.DOWN, ".lora_up.weight": Role.UP, ".alpha": Role.ALPHA}
# Older files hold attention's layers in its processor: `attn1.processor.to_out_lora.down.weight`.
_PROCESSOR = re.compile(r"\.(?:processor\.)?(to_q|to_k|to_v|to_out)_lora\.(down|up)\.weight$")
_ROLES = {
    ".lora_A.weight": Role.DOWN,
    ".lora_B.weight": Role.UP,
    ".lora.down.weight": Role.DOWN,
    ".lora.up.weight": Role.UP,
    ".lora_linear_layer.down.weight": Role.DOWN,
    ".lora_linear_layer.up.weight": Role.UP,
    ".alpha": Role.ALPHA,
}
_OTHER_KINDS = {
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "lora_mid": "Tucker-decomposed layers",
    ".bias": "biases",
    ".diff": "whole weights",
}


class TensorNames:
    """Reads tensor names for a model with these modules."""

    def __init__(self, unet: Iterable[str], text_encoder: Iterable[str]) -> None:
        self._modules = {Part.UNET: frozenset(unet), Part.TEXT_ENCODER: frozenset(text_encoder)}
        # kohya's `_` stands for `.` and for itself: only the model's own names tell which.
        self._flat = {
            part: {_without_wrapper(part, name).replace(".", "_"): name for name in names}
            for part, names in self._modules.items()
        }
        self._plain = {
            part: {_without_wrapper(part, name): name for name in names} for part, names in self._modules.items()
        }

    def read(self, key: str) -> TensorName:
        """Raises `LoraUnusable` where the name has no such form, or the model no such module."""
        for mark, kind in _OTHER_KINDS.items():
            if mark in key:
                raise LoraUnusable(f"it uses {kind}, which Easel does not apply; use a plain LoRA")
        for prefix, part in _KOHYA.items():
            if key.startswith(prefix):
                return self._kohya(key, prefix, part)
        for part in Part:
            if key.startswith(f"{part}."):
                return self._diffusers(key, part)
        raise _strange(key)

    def _kohya(self, key: str, prefix: str, part: Part) -> TensorName:
        for ending, role in _KOHYA_ROLES.items():
            if key.endswith(ending):
                flat = key.removeprefix(prefix).removesuffix(ending)
                if part is Part.TEXT_ENCODER:
                    flat = flat.removeprefix("text_model_")
                module = self._flat[part].get(flat)
                if module is None:
                    raise _other_model(key)
                return TensorName(part, module, role, kohya=True)
        raise _strange(key)

    def _diffusers(self, key: str, part: Part) -> TensorName:
        rest, role = _split(key.removeprefix(f"{part}."), part)
        if role is None:
            raise _strange(key)
        module = self._plain[part].get(_without_wrapper(part, rest))
        if module is None:
            raise _other_model(key)
        return TensorName(part, module, role, kohya=False)


def _split(name: str, part: Part) -> tuple[str, Role | None]:
    if found := _PROCESSOR.search(name):
        layer = found[1]
        if part is Part.TEXT_ENCODER:
            layer = layer.removeprefix("to_") + "_proj"
        elif layer == "to_out":
            layer = "to_out.0"
        return f"{name[: found.start()]}.{layer}", Role(found[2])
    for ending, role in _ROLES.items():
        if name.endswith(ending):
            return name.removesuffix(ending), role
    return name, None


def _without_wrapper(part: Part, module: str) -> str:
    """Some versions of transformers wrap CLIP's text model once more, others don't; files come from both."""
    return module.removeprefix("text_model.") if part is Part.TEXT_ENCODER else module


def _strange(key: str) -> LoraUnusable:
    return LoraUnusable(
        f"it holds “{_shown(key)}”, which is neither diffusers' nor kohya's naming; export it in one of these"
    )


def _other_model(key: str) -> LoraUnusable:
    return LoraUnusable(
        f"it was made for another model: it changes “{_shown(key)}”, which this model does not have; "
        "choose the model that it was made for"
    )


def _shown(key: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in key)
    return printable if len(printable) <= 80 else printable[:80] + "…"
