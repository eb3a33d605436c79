"""The LoRA itself: its layers in the model, and the file that stock diffusers reads."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.training_utils import cast_training_params
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save

from endpoint.training.base_model import BaseModel
from endpoint.training.randomness import derived_seed
from endpoint.training_contract import TrainingRequest

# Diffusers' example script trains the attention's four alone, kohya's the whole transformer block; the resnets beside
# it are what its `conv_dim` adds. On few pictures of something new the resnets are what makes it look right.
UNET_LAYERS = (
    *("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
    *("conv1", "conv2", "conv_shortcut", "time_emb_proj"),
)
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj")
EASEL_KEY = "easel"
"""The file's metadata of ours: JSON. Diffusers' own is under `lora_adapter_metadata`."""
_ADAPTER_KEY = "lora_adapter_metadata"


class Lora:
    """Layers added to a base model; without training they change nothing."""

    def __init__(self, model: BaseModel, request: TrainingRequest) -> None:
        self._parts: dict[str, Any] = {"unet": model.unet}
        if request.text_encoder:
            self._parts["text_encoder"] = model.text_encoder
        layers = {"unet": UNET_LAYERS, "text_encoder": TEXT_LAYERS}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(request.seed, "lora"))
            for name, part in self._parts.items():
                config = LoraConfig(
                    r=request.rank,
                    lora_alpha=request.rank,
                    init_lora_weights=True,
                    target_modules=list(layers[name]),
                )
                part.add_adapter(config)
        cast_training_params(list(self._parts.values()), dtype=torch.float32)

    def named_parameters(self) -> dict[str, torch.nn.Parameter]:
        """What is trained, by a name that stays the same from run to run."""
        return {
            f"{name}.{path}": parameter
            for name, part in self._parts.items()
            for path, parameter in part.named_parameters()
            if parameter.requires_grad
        }

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Meanwhile the UNet is the base model's."""
        layers = [module for module in self._parts["unet"].modules() if isinstance(module, BaseTunerLayer)]
        for layer in layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(True)

    def to_bytes(self, facts: dict[str, Any]) -> bytes:
        """The safetensors file for stock diffusers' `load_lora_weights`, `facts` in its metadata. float32.

        Names are peft's throughout: of a file that mixes them with the older `.lora.down` diffusers drops those in
        silence. The same bytes for the same weights and facts.
        """
        tensors, adapter = {}, {}
        for name, part in self._parts.items():
            for path, tensor in get_peft_model_state_dict(part).items():
                if name == "text_encoder":
                    # Newer transformers have lost this outer module; files name it, and diffusers reads both.
                    path = f"text_model.{path.removeprefix('text_model.')}"
                tensors[f"{name}.{path}"] = tensor.cpu().contiguous()
            # Transformers notes the folder that the model came from, which is nobody's business.
            config = {**part.peft_config["default"].to_dict(), "base_model_name_or_path": None}
            adapter.update({f"{name}.{key}": _listed(value) for key, value in config.items()})
        metadata = {
            "format": "pt",
            _ADAPTER_KEY: json.dumps(adapter, indent=2, sort_keys=True),
            EASEL_KEY: json.dumps(facts, ensure_ascii=False, sort_keys=True),
        }
        return _with_sorted_header(save(tensors, metadata))


def _listed(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


def _with_sorted_header(file: bytes) -> bytes:
    """The library writes the metadata in a new order each time; files are compared by their bytes.

    The format: https://github.com/huggingface/safetensors#format
    """
    (length,) = struct.unpack("<Q", file[:8])
    header = json.loads(file[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + file[8 + length :]
