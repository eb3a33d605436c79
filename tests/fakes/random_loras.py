"""LoRA files with random weights, as diffusers and kohya's tools write them, and requests that name them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from endpoint.contract import LoraWeights

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
EVERYTHING = (
    *ATTENTION,
    "ff.net.0.proj",
    "ff.net.2",
    "proj_in",
    "proj_out",
    "conv1",
    "conv2",
    "conv_shortcut",
    "time_emb_proj",
    "linear_1",
    "downsamplers.0.conv",
    "upsamplers.0.conv",
    "conv_in",
    "conv_out",
)
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


def diffusers_lora(
    path: Path,
    pipeline: Any,
    *,
    seed: int,
    unet: Sequence[str] = ATTENTION,
    text_encoder: Sequence[str] = (),
    size: float = 0.3,
    metadata: bool = True,
    **config: Any,
) -> Path:
    """Written by diffusers' `save_lora_weights`, with peft's configuration unless `metadata` is False.

    `pipeline` is one of its own for this: it is changed. `config`: peft's, rank 4 and alpha 4 by default.
    """
    config = {"r": 4, "lora_alpha": 4, **config}
    torch.manual_seed(seed)
    arguments: dict[str, Any] = {}
    for name, modules in (("unet", unet), ("text_encoder", text_encoder)):
        if not modules:
            continue
        part = getattr(pipeline, name)
        part.add_adapter(LoraConfig(target_modules=list(modules), **config), adapter_name="lora")
        for key, parameter in part.named_parameters():
            if "lora_" in key:
                parameter.data.normal_(std=size)
        arguments[f"{name}_lora_layers"] = get_peft_model_state_dict(part, adapter_name="lora")
        if metadata:
            arguments[f"{name}_lora_adapter_metadata"] = part.peft_config["lora"].to_dict()
    type(pipeline).save_lora_weights(path.parent, weight_name=path.name, **arguments)
    return path


def kohya_lora(
    path: Path,
    pipeline: Any,
    *,
    seed: int,
    unet: Sequence[str] = ATTENTION,
    text_encoder: Sequence[str] = (),
    rank: Sequence[int] = (4,),
    alpha: Sequence[float | None] = (2.0,),
    size: float = 0.3,
) -> Path:
    """As kohya's scripts write it: flat names and an alpha a module. `rank` and `alpha` take turns over the modules."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    number = 0
    for prefix, part, endings in (
        ("lora_unet", pipeline.unet, unet),
        ("lora_te_text_model", pipeline.text_encoder, text_encoder),
    ):
        for name, module in part.named_modules():
            if not name.endswith(tuple(endings)) or not endings:
                continue
            outputs, inputs, *window = module.weight.shape
            own_rank, own_alpha = rank[number % len(rank)], alpha[number % len(alpha)]
            flat = f"{prefix}_{name.replace('.', '_')}"
            tensors[f"{flat}.lora_down.weight"] = size * torch.randn(own_rank, inputs, *window, generator=generator)
            tensors[f"{flat}.lora_up.weight"] = size * torch.randn(
                outputs, own_rank, *[1 for _ in window], generator=generator
            )
            if own_alpha is not None:
                tensors[f"{flat}.alpha"] = torch.tensor(own_alpha)
            number += 1
    save_file(tensors, path, metadata={"ss_network_module": "networks.lora"})
    return path


def lora_weights(path: Path, weight: float = 1.0, **changes: Any) -> LoraWeights:
    """What a request says of this file; its bucket is `pictures`, its key ends with the file's name."""
    content = path.read_bytes()
    return LoraWeights.model_validate(
        {
            "name": path.stem,
            "bucket": "pictures",
            "key": f"tenants/t/loras/{path.name}",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "weight": weight,
            **changes,
        }
    )


def as_json(loras: Sequence[LoraWeights]) -> list[dict[str, Any]]:
    """For a request's body."""
    return [json.loads(lora.model_dump_json()) for lora in loras]
