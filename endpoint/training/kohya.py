"""A LoRA's file in kohya's naming, which most other tools read, and back: `python -m endpoint.training.kohya IN OUT`.

    diffusers   unet.down_blocks.1.attentions.0.….attn1.to_q.lora_A.weight          lora_adapter_metadata in the header
    kohya       lora_unet_down_blocks_1_attentions_0_…_attn1_to_q.lora_down.weight  ….alpha beside each pair

Values are never changed, so there and back gives the same tensors. A layer adds up · down · alpha / rank.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

ADAPTER_KEY = "lora_adapter_metadata"
_PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te"}
_KOHYA_PREFIXES = {"lora_unet": "unet", "lora_te": "text_encoder", "lora_te1": "text_encoder"}
# How diffusers' older scripts write a pair, and peft's own way.
_DIFFUSERS_KEY = re.compile(r"(.+)\.(?:lora_linear_layer|lora)\.(down|up)\.weight$")
_PEFT_KEY = re.compile(r"(.+)\.lora_([AB])\.weight$")
_KOHYA_KEY = re.compile(r"(lora_unet|lora_te1?)_(.+)\.(lora_down\.weight|lora_up\.weight|alpha)$")
# Names with an underscore of their own, which must not become dots. Longer ones first.
_NAMES = sorted(
    (
        "down_blocks",
        "up_blocks",
        "mid_block",
        "transformer_blocks",
        "to_q",
        "to_k",
        "to_v",
        "to_out",
        "proj_in",
        "proj_out",
        "conv_in",
        "conv_out",
        "conv_shortcut",
        "time_emb_proj",
        "time_embedding",
        "linear_1",
        "linear_2",
        "text_model",
        "self_attn",
        "q_proj",
        "k_proj",
        "v_proj",
        "out_proj",
    ),
    key=len,
    reverse=True,
)
_NAME = re.compile("|".join((*_NAMES, "[^_]+")))

Tensors = Mapping[str, torch.Tensor]


class NotALora(Exception):
    """The file is none that can be converted; the text says which key it is about."""


def to_kohya(tensors: Tensors, adapter: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """A diffusers file's tensors in kohya's naming. `adapter`, its `lora_adapter_metadata`, tells the alphas."""
    converted: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        path, direction = _diffusers_key(key)
        part, _, module = path.partition(".")
        if part not in _PREFIXES:
            raise NotALora(f"{key} is of no part that has a name at kohya's")
        name = f"{_PREFIXES[part]}_{_in_full(part, module).replace('.', '_')}"
        converted[f"{name}.lora_{direction}.weight"] = tensor
        if direction == "down":
            alpha = _alpha(adapter, part, module, rank=tensor.shape[0])
            converted[f"{name}.alpha"] = torch.tensor(float(alpha))
    return converted


def from_kohya(tensors: Tensors) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """A kohya file's tensors in diffusers' naming, and `lora_adapter_metadata`. Only UNet and one text encoder."""
    converted: dict[str, torch.Tensor] = {}
    ranks: dict[str, dict[str, int]] = {}
    alphas: dict[str, dict[str, float]] = {}
    for key, tensor in tensors.items():
        match = _KOHYA_KEY.match(key)
        if match is None:
            raise NotALora(f"{key} is no key of a LoRA of Stable Diffusion 1 or 2")
        part = _KOHYA_PREFIXES[match[1]]
        module = ".".join(_NAME.findall(match[2]))
        if match[3] == "alpha":
            alphas.setdefault(part, {})[module] = float(tensor)
            continue
        if match[3] == "lora_down.weight":
            ranks.setdefault(part, {})[module] = tensor.shape[0]
        converted[f"{part}.{module}.lora_{'A' if match[3] == 'lora_down.weight' else 'B'}.weight"] = tensor
    if not ranks:
        raise NotALora("there is no LoRA in it")
    adapter: dict[str, Any] = {}
    for part, modules in ranks.items():
        of_part = {module: alphas.get(part, {}).get(module, float(rank)) for module, rank in modules.items()}
        adapter |= {f"{part}.{key}": value for key, value in _peft_config(modules, of_part).items()}
    return converted, adapter


def convert(source: Path, target: Path) -> str:
    """Writes the other naming's file, everything else in its metadata kept. Says which it is now. Raises `NotALora`."""
    try:
        with safe_open(source, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no dictionary
    except (OSError, SafetensorError) as error:
        raise NotALora(f"{source} is no safetensors file") from error
    if any(key.startswith("lora_") for key in tensors):
        converted, adapter = from_kohya(tensors)
        metadata[ADAPTER_KEY] = json.dumps(adapter, indent=2, sort_keys=True)
        naming = "diffusers"
    else:
        converted = to_kohya(tensors, json.loads(metadata.pop(ADAPTER_KEY, "{}")))
        naming = "kohya"
    save_file(converted, target, metadata | {"format": "pt"})
    return naming


def _diffusers_key(key: str) -> tuple[str, str]:
    if match := _DIFFUSERS_KEY.match(key):
        return match[1], match[2]
    if match := _PEFT_KEY.match(key):
        return match[1], "down" if match[2] == "A" else "up"
    raise NotALora(f"{key} is no key of a diffusers LoRA")


def _in_full(part: str, module: str) -> str:
    """CLIP's text model has lost an outer module in newer transformers, which everybody's files still name."""
    return f"text_model.{module}" if part == "text_encoder" and not module.startswith("text_model.") else module


def _alpha(adapter: Mapping[str, Any], part: str, module: str, rank: int) -> float:
    """As peft finds it: the most specific pattern, or else the common one, or else the rank."""
    module = module.removeprefix("text_model.")
    for pattern, alpha in (adapter.get(f"{part}.alpha_pattern") or {}).items():
        if module == pattern or module.endswith("." + pattern):
            return float(alpha)
    return float(adapter.get(f"{part}.lora_alpha", rank))


def _peft_config(ranks: Mapping[str, int], alphas: Mapping[str, float]) -> dict[str, Any]:
    rank = Counter(ranks.values()).most_common(1)[0][0]
    alpha = Counter(alphas.values()).most_common(1)[0][0]
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {module.removeprefix("text_model."): each for module, each in ranks.items() if each != rank},
        "alpha_pattern": {module.removeprefix("text_model."): each for module, each in alphas.items() if each != alpha},
        "target_modules": sorted(module.removeprefix("text_model.") for module in ranks),
    }


def main() -> int:
    """Converts one file to the naming that it doesn't have."""
    parser = argparse.ArgumentParser(description="Convert a LoRA between diffusers' and kohya's naming.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    try:
        naming = convert(options.source, options.target)
    except NotALora as error:
        sys.stderr.write(f"This file can't be converted: {error}.\n")
        return 1
    sys.stdout.write(f"{options.target} is in {naming}'s naming.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
