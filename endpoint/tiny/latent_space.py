"""Makes the trained VAE's latents easy for a diffusion model: channels of mean 0, uncorrelated, closer in size.

The VAE leaves colours in large, correlated channels and the details of edges in small ones, which noise would drown.
Made all equal, the details, which are rare and spiky, drown the colours instead (tried: after 1,000 steps nothing had a
shape). So the sizes are brought part of the way. The change of basis is folded into the 1x1 convolutions around the
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
    # From the size that the VAE gave a channel, and 1 for each, to a size in between; 1 on the average.
    sizes = values.sqrt() ** _CONTRAST
    sizes /= sizes.square().mean().sqrt()
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
