"""From a safetensors file to a `Lora` that fits the model, or one clear reason why not."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from endpoint.serving.loras.aside import aside
from endpoint.serving.loras.errors import LoraUnusable
from endpoint.serving.loras.low_rank import Lora, LowRank
from endpoint.serving.loras.naming import Part, Role
from endpoint.serving.loras.target_modules import Target, TargetModules, is_pointwise

METADATA_KEY = "lora_adapter_metadata"
"""Where diffusers writes peft's configuration: names begin with the part, as in `unet.lora_alpha`."""

_REQUIRED = {"use_dora": "DoRA", "lora_bias": "biases"}


def read_lora(path: Path, sha256: str, targets: TargetModules) -> Lora:
    """The file's layers, `alpha / rank` multiplied in. Raises `LoraUnusable`; a pickle is never opened as one."""
    tensors: dict[tuple[Part, str], dict[Role, torch.Tensor]] = defaultdict(dict)
    kohya = False
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            for key in file.keys():  # noqa: SIM118 - it is no dictionary
                name = targets.names.read(key)
                roles = tensors[name.part, name.module]
                if name.role in roles:
                    raise LoraUnusable(f"it changes “{name.module}” twice; export it again")
                roles[name.role] = file.get_tensor(key)
                kohya = kohya or name.kohya
    except SafetensorError as error:
        raise LoraUnusable("it is not a safetensors file, and no other kind is opened; export it as one") from error
    if not tensors:
        raise LoraUnusable("it holds no layers; export it again")
    scaling = _Scaling({} if kohya else _configuration(metadata))
    layers: dict[Part, dict[str, LowRank]] = defaultdict(dict)
    with aside(targets.device) as keep:
        for (part, module), roles in tensors.items():
            layers[part][module] = _layer(part, module, roles, targets.of[part][module], scaling, keep)
    return Lora(sha256, dict(layers))


def _layer(
    part: Part, module: str, roles: dict[Role, torch.Tensor], target: Target, scaling: _Scaling, keep: Any
) -> LowRank:
    if not roles.keys() >= {Role.DOWN, Role.UP}:
        raise LoraUnusable(f"it is incomplete: “{module}” has only half of its layer; export it again")
    down, up = roles[Role.DOWN], roles[Role.UP]
    _check_shapes(module, down, up, target)
    if not (down.is_floating_point() and up.is_floating_point()):
        raise LoraUnusable(f"it is quantized (“{module}” has {down.dtype}); export it with 16 or 32 bits")
    scale = scaling.of(part, module, down.shape[0], roles.get(Role.ALPHA))
    dtype = target.weight.dtype
    # A copy in any case: the file's own memory goes when it is closed.
    down = down.to(dtype, copy=True)
    up = (up.flatten(1).float() * scale).to(dtype)
    if not (bool(down.isfinite().all()) and bool(up.isfinite().all())):
        raise LoraUnusable(f"“{module}” holds numbers that are infinite or none; train it again")
    return LowRank(keep(down.flatten(1) if is_pointwise(target) else down), keep(up))


def _check_shapes(module: str, down: torch.Tensor, up: torch.Tensor, target: Target) -> None:
    rank = down.shape[0] if down.ndim else 0
    outputs, inputs, *window = target.weight.shape
    if rank < 1 or down.shape != (rank, inputs, *window) or up.shape != (outputs, rank, *[1 for _ in window]):
        raise LoraUnusable(
            f"it was made for another model: “{module}” is {outputs} × {inputs} here, and its layer is "
            f"{_shown(up)} by {_shown(down)}; choose the model that it was made for"
        )


def _shown(tensor: torch.Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "a number"


def _configuration(metadata: dict[str, str]) -> dict[str, Any]:
    text = metadata.get(METADATA_KEY)
    if text is None:
        return {}
    try:
        configuration = json.loads(text)
    except ValueError as error:
        raise LoraUnusable("its metadata can't be read; export it again") from error
    if not isinstance(configuration, dict):
        raise LoraUnusable("its metadata can't be read; export it again")
    for part in Part:
        for option, kind in _REQUIRED.items():
            if configuration.get(f"{part}.{option}"):
                raise LoraUnusable(f"it uses {kind}, which Easel does not apply; use a plain LoRA")
    return configuration


class _Scaling:
    """`alpha / rank` of a layer: by the layer's own alpha, else by peft's configuration, else 1."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self._configuration = configuration

    def of(self, part: Part, module: str, rank: int, alpha: torch.Tensor | None) -> float:
        if alpha is not None:
            if alpha.numel() != 1:
                raise LoraUnusable(f"“{module}” has an alpha that is no number; export it again")
            value: Any = alpha.item()
        else:
            value = self._patterned(part, module, "alpha_pattern", "lora_alpha", rank)
        rslora = bool(self._configuration.get(f"{part}.use_rslora"))
        try:
            scale = float(value) / (math.sqrt(rank) if rslora else rank)
        except (TypeError, ValueError):
            scale = math.nan
        if not math.isfinite(scale):
            raise LoraUnusable(f"“{module}” has an alpha that is no number; export it again")
        return scale

    def _patterned(self, part: Part, module: str, patterns: str, default: str, otherwise: int) -> Any:
        given = self._configuration.get(f"{part}.{patterns}")
        for pattern, value in given.items() if isinstance(given, dict) else ():
            if _matches(pattern, module):
                return value
        return self._configuration.get(f"{part}.{default}", otherwise)


def _matches(pattern: str, module: str) -> bool:
    """peft's rule: a pattern is a regular expression for the end of a module's name, from a dot or its beginning.

    Only names and peft's `^` are taken: a regular expression from outside may take for ever.
    """
    if not re.fullmatch(r"\^?[\w.-]+", pattern):
        raise LoraUnusable("its metadata has a pattern that is no module's name; export it again")
    anchored, name = pattern.startswith("^"), pattern.removeprefix("^")
    return module == name or (not anchored and module.endswith("." + name))
