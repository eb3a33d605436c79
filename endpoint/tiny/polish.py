"""Teaches the VAE's decoder alone, at the end, to draw small things sharply from latents as the UNet makes them.

The encoder and so the latents stay as they are, and the UNet with them. Most pictures are drawings of the world,
decoded from settled latents with a little noise; the rest are rich ones, so that what is not of the world stays
possible.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from endpoint.tiny.draw import draw_scene
from endpoint.tiny.latent_space import load_vae
from endpoint.tiny.latents import LatentSet, encode
from endpoint.tiny.patterns import draw_rich_picture
from endpoint.tiny.progress import Checkpoint, one_cycle
from endpoint.tiny.vae import reconstruction_loss, to_tensor
from endpoint.tiny.workers import Worker

_BATCH = 4
_RICH_EVERY = 4
"""One step in so many sees rich pictures."""
_PEAK_LEARNING_RATE = 3e-4
_NOISE = 0.06
"""Standard deviation of what is added to latents, whose colours are of the order of 1 and whose details of 0.25."""


def polish_decoder(worker: Worker, work: Path, native: LatentSet, steps: int, seed: int) -> None:
    """Trains into the checkpoint `work`/polished.pt, going on from it where it exists."""
    vae = load_vae(work)
    vae.requires_grad_(False)
    trained = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    for parameter in trained:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(trained, lr=1.0, weight_decay=1e-3, betas=(0.9, 0.99), fused=True)
    checkpoint = Checkpoint(work / "polished.pt", model=vae, optimizer=optimizer)
    first = checkpoint.load()
    rng = random.Random(f"polish {seed} {first} {worker.number}")
    torch.manual_seed((seed * 1_000_003 + first) * 64 + worker.number)
    started, losses = time.monotonic(), []
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = one_cycle(step, steps, _PEAK_LEARNING_RATE)
        count = _BATCH // worker.count
        if step % _RICH_EVERY == _RICH_EVERY - 1:
            pictures = np.stack([draw_rich_picture(rng) for _ in range(count)])
            latents = encode(vae, pictures)
        else:
            chosen = [rng.randrange(len(native.scenes)) for _ in range(count)]
            pictures = np.stack([draw_scene(native.scenes[at], *native.size) for at in chosen])
            latents = native.latents[chosen]
        with torch.autocast("cpu", torch.bfloat16):
            noisy = latents + _NOISE * torch.randn_like(latents)
            decoded = vae.decode(noisy.contiguous(memory_format=torch.channels_last)).sample.float()
        loss = reconstruction_loss(decoded, to_tensor(pictures))
        optimizer.zero_grad()
        loss.backward()
        worker.average_gradients(trained)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if worker.leads and (step + 1) % 50 == 0:
            print(
                f"polish {step + 1}/{steps} loss {np.mean(losses):.4f} {time.monotonic() - started:.0f} s", flush=True
            )
            losses = []
        if worker.leads and ((step + 1) % 100 == 0 or step + 1 == steps):
            checkpoint.save(step + 1)
    worker.wait_for_all()


def load_polished_vae(work: Path) -> AutoencoderKL:
    """The VAE of the checkpoint `work`/polished.pt."""
    vae = load_vae(work)
    Checkpoint(work / "polished.pt", model=vae).load()
    return vae.eval()
