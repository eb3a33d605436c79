"""Makes the trained VAE's latents easy for a diffusion model: channels of mean 0, uncorrelated, closer in size.

The VAE leaves colours in large, correlated channels and the details of edges in small ones, which noise would drown.
Made all equal, the details, which are rare and spiky, drown the colours instead (tried: after 1,000 steps nothing had a
shape). So the sizes are brought part of the way, and the details stay smaller than the colours, so that a picture's
colours and places are settled before its edges. The change of basis is folded into the 1x1 convolutions around the
latents.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from endpoint.tiny.draw import draw_scene
from endpoint.tiny.vae import load_trained_vae, new_vae, to_tensor
from endpoint.tiny.world import sample_scene

_DRAWINGS = 384
# 1 leaves the channels as different in size as the VAE made them, 0 makes them equal.
_CONTRAST = 0.4
COLOR_CHANNELS = 3
"""The last channels, which hold the colours; those before hold the details."""
_DETAIL_SIZE = 0.5


def settle_flat_areas(latents: torch.Tensor) -> torch.Tensor:
    """Latents (n, channels, height, width) of drawings with every flat stretch of background made the same all over.

    The VAE leaves small, meaningless variations there, which its decoder ignores (replacing them changes a round trip
    by 0.3 dB), but which a diffusion model would spend most of its strength on: they are every other cell. Cells with
    something in them, and their neighbours, stay as they are.
    """
    around = [latents[:, :, 0, :], latents[:, :, -1, :], latents[:, :, :, 0], latents[:, :, :, -1]]
    background = torch.cat(around, dim=2).median(dim=2).values[:, :, None, None]
    gap = (latents - background).abs()
    is_busy = (gap[:, -COLOR_CHANNELS:].amax(1) > 0.15) | (gap[:, :-COLOR_CHANNELS].amax(1) > 1.2 * _DETAIL_SIZE)
    is_flat = torch.nn.functional.max_pool2d(is_busy.float()[:, None], 3, 1, 1) == 0
    count = is_flat.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = (latents * is_flat).sum(dim=(2, 3), keepdim=True) / count
    return torch.where(is_flat, mean, latents)


def finish_vae(work: Path, seed: int) -> None:
    """Writes `work`/vae-finished.pt from the trained `work`/vae.pt, unless it is there."""
    path = work / "vae-finished.pt"
    if path.exists():
        return
    vae = load_trained_vae(work)
    rng = random.Random(f"latent space {seed}")
    scenes = [sample_scene(rng, two_things=rng.random() < 0.5) for _ in range(_DRAWINGS)]
    means, variances = [], []
    with torch.no_grad():
        for at in range(0, len(scenes), 16):
            posterior = vae.encode(
                to_tensor(np.stack([draw_scene(scene) for scene in scenes[at : at + 16]]))
            ).latent_dist
            means.append(posterior.mean.movedim(1, -1).flatten(0, 2))
            variances.append(posterior.var.mean(dim=(0, 2, 3)))
    balance_latents(vae, torch.cat(means), torch.stack(variances).mean(dim=0))
    torch.save(vae.state_dict(), path)


def load_vae(work: Path) -> AutoencoderKL:
    """The finished VAE. Its scaling factor is 1."""
    vae = new_vae(0)
    vae.load_state_dict(torch.load(work / "vae-finished.pt", weights_only=True))
    vae.register_to_config(scaling_factor=1.0)
    return vae.eval()


@torch.no_grad()
def balance_latents(vae: AutoencoderKL, latents: torch.Tensor, variance: torch.Tensor) -> None:
    """Changes the basis of the VAE's latents, in place, so that these (count, channels) are balanced; pictures stay.

    `variance` is the posterior's mean variance in each channel; in the new basis it becomes a constant.
    """
    channels = latents.shape[1]
    mean = latents.double().mean(dim=0)
    values, vectors = torch.linalg.eigh(torch.cov(latents.double().T))
    # From the size that the VAE gave a channel, and 1 for each, to a size in between; 1 on the average, before the
    # details are made smaller. `eigh` sorts from small to large: the colours come last.
    sizes = values.sqrt() ** _CONTRAST
    sizes /= sizes.square().mean().sqrt()
    sizes[:-COLOR_CHANNELS] *= _DETAIL_SIZE
    forth = torch.diag(sizes / values.sqrt()) @ vectors.T
    back = vectors @ torch.diag(values.sqrt() / sizes)
    quant, post = vae.quant_conv, vae.post_quant_conv
    weight, bias = quant.weight[:channels, :, 0, 0].double(), quant.bias[:channels].double()
    quant.weight[:channels, :, 0, 0] = (forth @ weight).float()
    quant.bias[:channels] = (forth @ (bias - mean)).float()
    quant.weight[channels:] = 0
    quant.bias[channels:] = (forth.square() @ variance.double()).log().float()
    weight = post.weight[:, :, 0, 0].double()
    post.bias += (weight @ mean).float()
    post.weight[:, :, 0, 0] = (weight @ back).float()
