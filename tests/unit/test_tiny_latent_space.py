"""Balancing the latents changes their basis and nothing else."""

from __future__ import annotations

import random

import numpy as np
import torch

from endpoint.tiny.draw import draw_scene
from endpoint.tiny.latent_space import COLOR_CHANNELS, balance_latents, settle_flat_areas
from endpoint.tiny.vae import new_vae, to_tensor
from endpoint.tiny.world import sample_scene


@torch.no_grad()
def test_pictures_stay_and_latents_become_uncorrelated_around_zero() -> None:
    rng = random.Random(2)
    pictures = to_tensor(np.stack([draw_scene(sample_scene(rng, two_things=False)) for _ in range(12)]))
    vae = new_vae(0).eval()
    before = vae.encode(pictures).latent_dist
    latents = before.mean.movedim(1, -1).flatten(0, 2)
    shown = vae.decode(before.mean).sample

    balance_latents(vae, latents, before.var.mean(dim=(0, 2, 3)))

    after = vae.encode(pictures).latent_dist.mean
    assert torch.allclose(vae.decode(after).sample, shown, atol=1e-3)
    covariance = torch.cov(after.movedim(1, -1).flatten(0, 2).T)
    assert torch.allclose(covariance - torch.diag(covariance.diagonal()), torch.zeros(8, 8), atol=1e-3)
    assert torch.allclose(after.mean(dim=(0, 2, 3)), torch.zeros(8), atol=1e-3)
    sizes = covariance.diagonal().sqrt()
    assert sizes[:-COLOR_CHANNELS].max() < sizes[-COLOR_CHANNELS:].min()


def test_flat_background_is_settled_and_things_stay() -> None:
    generator = torch.Generator().manual_seed(3)
    latents = 0.1 * torch.randn(2, 8, 16, 16, generator=generator)
    latents[:, -COLOR_CHANNELS:] = 0.7
    latents[:, :, 5:8, 5:8] += 2 * torch.randn(2, 8, 3, 3, generator=generator).sign()
    settled = settle_flat_areas(latents)
    assert torch.equal(settled[:, :, 4:9, 4:9], latents[:, :, 4:9, 4:9])
    assert (settled[:, :, :4] - settled[:, :, :1, :1]).abs().max() < 1e-6
    assert torch.allclose(settled[:, -COLOR_CHANNELS:, :4], torch.tensor(0.7), atol=1e-5)
    assert torch.allclose(settle_flat_areas(settled), settled, atol=1e-5)


@torch.no_grad()
def test_an_untrained_vae_already_carries_each_block_s_color() -> None:
    colors = torch.rand(4, 3, 1, 1, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    pictures = colors.expand(4, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    vae = new_vae(0).eval()
    decoded = vae.decode(vae.encode(pictures).latent_dist.mean).sample
    assert (decoded - pictures)[:, :, 16:48, 16:48].abs().mean() < 0.25
