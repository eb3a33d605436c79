"""A LoRA as tensors of the model that it changes, and several of them as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from endpoint.serving.loras.naming import Part


@dataclass(frozen=True)
class LowRank:
    """What one module gets in addition: `up` · `down` · x.

    `down`: rank × inputs, or rank × inputs × height × width for a convolution over more than one pixel.
    `up`: outputs × rank; `alpha / rank`, and in a set the weight, are multiplied in.
    """

    down: torch.Tensor
    up: torch.Tensor

    @property
    def rank(self) -> int:
        """Rows of `down`."""
        return self.down.shape[0]

    @property
    def bytes(self) -> int:
        """Of both tensors."""
        return self.down.nbytes + self.up.nbytes


Layers = Mapping[str, LowRank]
"""By the module's name in the model."""


@dataclass(frozen=True)
class Lora:
    """A LoRA file's content, in the model's precision and on its device."""

    sha256: str
    layers: Mapping[Part, Layers]

    @property
    def bytes(self) -> int:
        """What it occupies."""
        return sum(layer.bytes for layers in self.layers.values() for layer in layers.values())


Key = tuple[tuple[str, float], ...]
"""Checksums and weights, in the request's order: equal keys change a part of the model in the same way."""


@dataclass(frozen=True, eq=False)
class LoraSet:
    """All LoRAs of a request with their weights, summed: stacking ranks is exact."""

    layers: Mapping[Part, Layers]
    keys: Mapping[Part, Key]


def combine(weighted: Sequence[tuple[Lora, float]]) -> LoraSet | None:
    """None where nothing changes. One LoRA's `down` is shared and not copied."""
    weighted = [(lora, weight) for lora, weight in weighted if weight]
    layers: dict[Part, dict[str, LowRank]] = {}
    keys: dict[Part, Key] = {}
    for part in Part:
        touching = [(lora, weight) for lora, weight in weighted if lora.layers.get(part)]
        if not touching:
            continue
        keys[part] = key_of(touching)
        names = dict.fromkeys(name for lora, _ in touching for name in lora.layers[part])
        layers[part] = {
            name: _sum([(lora.layers[part][name], weight) for lora, weight in touching if name in lora.layers[part]])
            for name in names
        }
    return LoraSet(layers, keys) if layers else None


def key_of(weighted: Sequence[tuple[Lora, float]]) -> Key:
    """See `Key`."""
    return tuple((lora.sha256, weight) for lora, weight in weighted)


def _sum(weighted: Sequence[tuple[LowRank, float]]) -> LowRank:
    if len(weighted) == 1:
        (layer, weight) = weighted[0]
        return layer if weight == 1 else LowRank(layer.down, layer.up * weight)
    return LowRank(
        torch.cat([layer.down for layer, _ in weighted]),
        torch.cat([layer.up * weight for layer, weight in weighted], dim=1),
    )
