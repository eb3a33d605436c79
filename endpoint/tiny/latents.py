"""The training set of the UNet: drawings, encoded once."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from endpoint.tiny.draw import draw_scene
from endpoint.tiny.latent_space import load_vae, settle_flat_areas
from endpoint.tiny.vae import to_tensor
from endpoint.tiny.workers import Worker
from endpoint.tiny.world import Scene, is_held_out, sample_scene

# Width and height in pixels, and the share of drawings: mostly the native square, some 3:2 and 2:3 of about its area.
FORMATS = {(256, 256): 0.84, (320, 208): 0.08, (208, 320): 0.08}
_TWO_THINGS_SHARE = 0.45
_CHUNK = 16


@dataclass
class LatentSet:
    """Drawings of one format: `latents[i]` shows `scenes[i]`: the posterior's means, flat areas settled."""

    size: tuple[int, int]
    scenes: list[Scene]
    latents: torch.Tensor


def training_scenes(size: tuple[int, int], count: int, seed: int) -> list[Scene]:
    """Seeded scenes of one format, none of them held out."""
    rng = random.Random(f"scenes {seed} {size}")
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = sample_scene(rng, two_things=rng.random() < _TWO_THINGS_SHARE)
        if not is_held_out(scene):
            scenes.append(scene)
    return scenes


def encode_drawings(worker: Worker, work: Path, count: int, seed: int) -> None:
    """Draws about `count` scenes over all formats and encodes them with the finished VAE, this worker its share.

    A finished share (`work`/latents-N.pt) is kept.
    """
    path = work / f"latents-{worker.number}.pt"
    if path.exists():
        return
    vae = load_vae(work)
    started, encoded = time.monotonic(), []
    for size, share in FORMATS.items():
        scenes = training_scenes(size, round(count * share), seed)[worker.number :: worker.count]
        parts = []
        for at in range(0, len(scenes), _CHUNK):
            pictures = np.stack([draw_scene(scene, *size) for scene in scenes[at : at + _CHUNK]])
            parts.append(settle_flat_areas(encode(vae, pictures)).half())
            if worker.leads and at % (_CHUNK * 32) == 0:
                print(f"latents {size} {at}/{len(scenes)} {time.monotonic() - started:.0f} s", flush=True)
        encoded.append(torch.cat(parts))
    partial = path.with_suffix(".partial")
    torch.save(encoded, partial)
    partial.replace(path)


def load_latents(work: Path, workers: int, count: int, seed: int) -> list[LatentSet]:
    """What `encode_drawings` left when run by this many workers with this `count` and `seed`."""
    shares = [torch.load(work / f"latents-{number}.pt", weights_only=True) for number in range(workers)]
    sets = []
    for position, (size, share) in enumerate(FORMATS.items()):
        scenes = training_scenes(size, round(count * share), seed)
        latents = torch.empty(len(scenes), *shares[0][position].shape[1:])
        for number, encoded in enumerate(shares):
            latents[number::workers] = encoded[position].float()
        sets.append(LatentSet(size, scenes, latents))
    return sets


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: np.ndarray) -> torch.Tensor:
    """The posterior's means of uint8 pictures (n, height, width, 3)."""
    with torch.autocast("cpu", torch.bfloat16):
        return vae.encode(to_tensor(pictures)).latent_dist.mean.float()
