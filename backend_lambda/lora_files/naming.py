"""Recognises a LoRA for Stable Diffusion by its tensors' names and shapes, as diffusers and kohya write them.

diffusers  unet.….attn1.to_q.lora_A.weight            with lora_B; text_encoder.… in the same way
           unet.….attn1.to_q.lora.down.weight         with lora.up
           unet.….attn1.processor.to_q_lora.down.weight  with to_q_lora.up: before 2023
           text_encoder.….q_proj.lora_linear_layer.down.weight  with lora_linear_layer.up
kohya      lora_unet_…_attn1_to_q.lora_down.weight    with lora_up and alpha; lora_te_… in the same way

Whether a module of that name is in the model, and of that size, only the endpoint knows, which has the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from backend_lambda.contract.training_limits import MAX_RANK
from backend_lambda.lora_files.header import WEIGHT_DTYPES, WEIGHTS, Header, Tensor
from backend_lambda.lora_files.refused import FileRefused, shown


class Naming(StrEnum):
    """Whose names a file has."""

    DIFFUSERS = "diffusers"
    KOHYA = "kohya"


@dataclass(frozen=True)
class LoraFile:
    """What a file is, as its header tells. `rank` is the largest of its modules'."""

    naming: Naming
    modules: int
    rank: int


_DIFFUSERS_PREFIXES = ("unet.", "text_encoder.")
_KOHYA_PREFIXES = ("lora_unet_", "lora_te_")
_DIFFUSERS_PARTS = {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".alpha": "alpha",
}
_KOHYA_PARTS = {".lora_down.weight": "down", ".lora_up.weight": "up", ".alpha": "alpha"}

_OTHER_METHODS = {
    "hada_": "a LoHa (LyCORIS)",
    "lokr_": "a LoKr (LyCORIS)",
    "oft_": "an OFT adapter",
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "lora_mid.": "a LoCon with CP decomposition (LyCORIS)",
}
_OTHER_MODELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Stable Diffusion XL",
        ("text_encoder_2.", "lora_te1_", "lora_te2_", "lora_unet_input_blocks_", "lora_unet_output_blocks_"),
    ),
    ("Flux or Stable Diffusion 3", ("transformer.", "lora_unet_double_blocks_", "lora_unet_single_blocks_")),
    ("Flux or Stable Diffusion 3", ("lora_transformer_", "lora_unet_joint_blocks_", "lora_te3_")),
    ("another kind of model", ("diffusion_model.", "lora_prior_", "prior.")),
)
_CHECKPOINTS = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.", "vae.")
_UNET_PARTS = ("conv_in.weight", "conv_out.weight", "time_embedding.linear_1.weight")
_EMBEDDINGS = ("emb_params", "string_to_param", "clip_l", "clip_g")
_ARCHITECTURES = {
    "xl": "Stable Diffusion XL",
    "flux": "Flux",
    "stable-diffusion-3": "Stable Diffusion 3",
    "sd3": "Stable Diffusion 3",
    "hunyuan": "Hunyuan",
    "wan2": "Wan",
    "lumina": "Lumina",
    "pixart": "PixArt",
    "auraflow": "AuraFlow",
}
_TAKEN = "A LoRA for Stable Diffusion 1 or 2 is taken, as diffusers or kohya's scripts write it."


def recognise(header: Header) -> LoraFile:
    """What the file is. Raises `FileRefused` where it is no LoRA, one for another architecture, or not a whole one."""
    names = header.tensors.keys()
    if not names:
        raise FileRefused(f"This file has no tensors. {_TAKEN}")
    _refuse_other_things(names)
    _refuse_other_models(names, header.metadata)
    naming, modules = _modules(header.tensors)
    if not any("up" in parts or "down" in parts for parts in modules.values()):
        raise FileRefused(f"This file has no LoRA in it. {_TAKEN}")
    ranks = [_rank(module, parts) for module, parts in modules.items()]
    return LoraFile(naming, len(modules), max(ranks))


def _refuse_other_things(names: Iterable[str]) -> None:
    names = list(names)
    for name in names:
        for part, method in _OTHER_METHODS.items():
            if part in name:
                raise FileRefused(f"This file is {method}, which Easel can't paint with. {_TAKEN}")
    if any(name.startswith(_CHECKPOINTS) for name in names) or any(name in _UNET_PARTS for name in names):
        raise FileRefused(f"This file is a whole model and not a LoRA. {_TAKEN}")
    if any(name in _EMBEDDINGS for name in names):
        raise FileRefused(f"This file is an embedding (textual inversion) and not a LoRA. {_TAKEN}")


def _refuse_other_models(names: Iterable[str], metadata: Mapping[str, str]) -> None:
    for name in names:
        for model, prefixes in _OTHER_MODELS:
            if name.startswith(prefixes):
                raise FileRefused(f"This LoRA was made for {model}. {_TAKEN}")
    said = f"{metadata.get('modelspec.architecture', '')} {metadata.get('ss_base_model_version', '')}".lower()
    for part, model in _ARCHITECTURES.items():
        if part in said:
            raise FileRefused(f"This LoRA was made for {model}, as its metadata says. {_TAKEN}")


def _modules(tensors: Mapping[str, Tensor]) -> tuple[Naming, dict[str, dict[str, Tensor]]]:
    """The tensors of each module, by what they are of it."""
    modules: dict[str, dict[str, Tensor]] = {}
    namings: set[Naming] = set()
    for name, tensor in tensors.items():
        naming, module, part = _place(name)
        namings.add(naming)
        parts = modules.setdefault(module, {})
        if part in parts:
            raise FileRefused(f"This LoRA has two tensors for the same place: {shown(name)} is one of them.")
        parts[part] = tensor
    if len(namings) != 1:
        raise FileRefused("This LoRA has diffusers' and kohya's names mixed.")
    return namings.pop(), modules


def _place(name: str) -> tuple[Naming, str, str]:
    """Whose name it is, which module's, and what of it."""
    if name.startswith(_KOHYA_PREFIXES):
        naming, endings = Naming.KOHYA, _KOHYA_PARTS
    elif name.startswith(_DIFFUSERS_PREFIXES):
        naming, endings = Naming.DIFFUSERS, _DIFFUSERS_PARTS
    else:
        raise FileRefused(f"The tensor {shown(name)} belongs to no LoRA that Easel knows. {_TAKEN}")
    for ending, part in endings.items():
        if name.endswith(ending) and len(name) > len(ending):
            return naming, name.removesuffix(ending).replace(".processor.", "."), part
    raise FileRefused(f"The tensor {shown(name)} belongs to no LoRA that Easel knows. {_TAKEN}")


def _rank(module: str, parts: Mapping[str, Tensor]) -> int:
    """Checks one module: `down` maps its input to `rank` numbers, `up` those to its output. For a convolution, `down`
    has the kernel and `up` is 1 × 1.
    """
    if "down" not in parts or "up" not in parts:
        missing = "up" if "down" in parts else "down"
        raise FileRefused(f"The module {shown(module)} of this LoRA has no {missing} weights: the file is not whole.")
    for part in ("down", "up"):
        if (dtype := parts[part].dtype) not in WEIGHT_DTYPES:
            raise FileRefused(f"The module {shown(module)} has weights of the dtype {dtype}; a LoRA's are {WEIGHTS}.")
    down, up = parts["down"].shape, parts["up"].shape
    fits = len(down) == len(up) and len(down) in (2, 4) and down[0] == up[1] and up[2:] in ((), (1, 1))
    if not fits or 0 in (*down, *up):
        raise FileRefused(
            f"The weights of the module {shown(module)} don't go together: {_size(down)} and {_size(up)}."
        )
    if down[0] > MAX_RANK:
        raise FileRefused(
            f"The module {shown(module)} of this LoRA has the rank {down[0]}; at most {MAX_RANK} is taken."
        )
    alpha = parts.get("alpha")
    if alpha is not None and alpha.shape not in ((), (1,)):
        raise FileRefused(f"The alpha of the module {shown(module)} is {_size(alpha.shape)} and not one number.")
    return down[0]


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) if shape else "one number"
