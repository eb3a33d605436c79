"""Latents and texts, computed once: neither the VAE nor (unless it is trained) the text encoder runs in a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from endpoint.training.base_model import BaseModel
from endpoint.training.interruption import Interruption


@dataclass(frozen=True)
class EncodedSet:
    """Pictures as the UNet sees them: `latents[i]` (channels × height × width, float32) shows `captions[i]`.

    `prior_latents` and `prior_captions` are those that preserve the prior, all of one shape; empty without it.
    `prior_states` are those captions' hidden states before any training.
    """

    latents: list[torch.Tensor]
    captions: list[str]
    prior_latents: list[torch.Tensor]
    prior_captions: list[str]
    prior_states: torch.Tensor | None = None


@torch.no_grad()
def encode_pictures(model: BaseModel, pictures: Sequence[np.ndarray], interruption: Interruption) -> list[torch.Tensor]:
    """The means of uint8 RGB pictures' latent distributions, scaled as the UNet wants them."""
    vae, encoded = model.pipeline.vae, []
    for picture in pictures:
        interruption.end_if_asked()
        pixels = torch.from_numpy(picture.copy()).to(model.device).permute(2, 0, 1)[None].float() / 127.5 - 1
        mean = vae.encode(pixels.contiguous(memory_format=torch.channels_last)).latent_dist.mode()
        encoded.append((mean[0] * vae.config.scaling_factor).float())
    return encoded


class Texts:
    """Hidden states of captions. Where the text encoder is trained they are computed anew each time, or else kept."""

    def __init__(self, model: BaseModel, *, trained: bool) -> None:
        self._model = model
        self._trained = trained
        self._tokens: dict[str, torch.Tensor] = {}
        self._states: dict[str, torch.Tensor] = {}

    def of(self, captions: Sequence[str]) -> torch.Tensor:
        """Captions × tokens × width. Equal captions are read once."""
        different = list(dict.fromkeys(captions))
        if self._trained:
            states = self._model.read(torch.cat([self._tokens_of(caption) for caption in different]))
        else:
            states = torch.cat([self._states_of(caption) for caption in different])
        return states[[different.index(caption) for caption in captions]]

    def _tokens_of(self, caption: str) -> torch.Tensor:
        if caption not in self._tokens:
            self._tokens[caption] = self._model.tokens(caption)
        return self._tokens[caption]

    @torch.no_grad()
    def _states_of(self, caption: str) -> torch.Tensor:
        if caption not in self._states:
            self._states[caption] = self._model.read(self._tokens_of(caption))
        return self._states[caption]
