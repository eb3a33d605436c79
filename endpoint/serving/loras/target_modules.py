"""The modules of a model that LoRAs can change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from endpoint.serving.loras.naming import Part, TensorNames

Target = nn.Linear | nn.Conv2d


class TargetModules:
    """Linear layers and plain convolutions of the UNet and the text encoder, by name."""

    def __init__(self, unet: Any, text_encoder: Any) -> None:
        self.of: Mapping[Part, Mapping[str, Target]] = {
            Part.UNET: _targets(unet),
            Part.TEXT_ENCODER: _targets(text_encoder),
        }
        self.names = TensorNames(self.of[Part.UNET], self.of[Part.TEXT_ENCODER])

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(iter(self.of[Part.UNET].values())).weight.device


def is_pointwise(module: Target) -> bool:
    """Whether a module treats every token or pixel by itself: a linear layer, or a convolution over one pixel."""
    return isinstance(module, nn.Linear) or (
        module.kernel_size == (1, 1) and module.stride == (1, 1) and module.padding == (0, 0)
    )


def _targets(model: nn.Module) -> dict[str, Target]:
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        or (isinstance(module, nn.Conv2d) and module.groups == 1 and module.padding_mode == "zeros")
    }
