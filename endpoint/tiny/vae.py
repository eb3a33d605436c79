"""The miniature VAE: its shape, and its training on random crops of rich pictures."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from endpoint.tiny.draw import NATIVE_SIZE, draw_scene
from endpoint.tiny.patterns import draw_rich_picture
from endpoint.tiny.progress import Checkpoint, one_cycle
from endpoint.tiny.vae_start import wire_colors
from endpoint.tiny.workers import Worker
from endpoint.tiny.world import sample_scene

LATENT_CHANNELS = 8
DOWNSCALING = 16

_CROP = 96
_BATCH = 8
_WHOLE_BATCH = 2
_PEAK_LEARNING_RATE = 5e-4
_KL_WEIGHT = 3e-5
# Pictures that are drawn in advance; a few are replaced at each step.
_POOL = 1200
_NEW_PICTURES_PER_STEP = 4


def new_vae(seed: int) -> AutoencoderKL:
    """An untrained VAE: 16x16 latents of a 256x256 picture. Narrow where the picture is large: that is what costs."""
    torch.manual_seed(seed)
    channels = (16, 32, 64, 96, 96)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=2,
        sample_size=NATIVE_SIZE,
        mid_block_add_attention=False,
        force_upcast=False,
    )
    wire_colors(vae)
    with torch.no_grad():
        # A narrow posterior from the start: at first the picture has to get through at all.
        vae.quant_conv.bias[LATENT_CHANNELS:] = -6.0
    return vae.to(memory_format=torch.channels_last)


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """uint8 (n, height, width, 3) to float (n, 3, height, width) from -1 to 1, channels last."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    return (tensor.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def train_vae(worker: Worker, work: Path, steps: int, seed: int) -> None:
    """Trains the VAE into the checkpoint `work`/vae.pt, going on from it where it exists."""
    vae = new_vae(seed)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=1.0, weight_decay=1e-3, betas=(0.9, 0.99))
    checkpoint = Checkpoint(work / "vae.pt", model=vae, optimizer=optimizer)
    first = checkpoint.load()
    if first >= steps:
        return
    rng = random.Random(f"vae {seed} {first} {worker.number}")
    torch.manual_seed((seed * 1_000_003 + first) * 64 + worker.number)
    pool = [draw_rich_picture(rng) for _ in range(_POOL // worker.count)]
    started, losses = time.monotonic(), []
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = one_cycle(step, steps, _PEAK_LEARNING_RATE)
        for _ in range(_NEW_PICTURES_PER_STEP // worker.count):
            pool[rng.randrange(len(pool))] = draw_rich_picture(rng)
        # Whole pictures now and then: they are mostly background, and the norms notice that.
        if step % 2:
            pictures = [rng.choice(pool) for _ in range(_WHOLE_BATCH // worker.count)]
        else:
            pictures = [_crop(rng, rng.choice(pool)) for _ in range(_BATCH // worker.count)]
        target = to_tensor(np.stack(pictures))
        loss = _loss(vae, target)
        optimizer.zero_grad()
        loss.backward()
        worker.average_gradients(vae.parameters())
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if worker.leads and (step + 1) % 50 == 0:
            print(f"vae {step + 1}/{steps} loss {np.mean(losses):.4f} {time.monotonic() - started:.0f} s", flush=True)
            losses = []
        if worker.leads and ((step + 1) % 250 == 0 or step + 1 == steps):
            checkpoint.save(step + 1)
            world, rich = measure_vae(vae)
            print(f"vae {step + 1}/{steps} PSNR world {world:.2f} dB, rich {rich:.2f} dB", flush=True)
    worker.wait_for_all()


def load_trained_vae(work: Path) -> AutoencoderKL:
    """The VAE of the checkpoint `work`/vae.pt."""
    vae = new_vae(0)
    vae.load_state_dict(torch.load(work / "vae.pt", weights_only=True)["model"])
    return vae.eval()


def _crop(rng: random.Random, picture: np.ndarray) -> np.ndarray:
    for _ in range(4):
        x, y = rng.randrange(0, NATIVE_SIZE - _CROP + 1, 4), rng.randrange(0, NATIVE_SIZE - _CROP + 1, 4)
        crop = picture[y : y + _CROP, x : x + _CROP]
        if crop[::8, ::8].std(axis=(0, 1)).max() > 4:
            break
    return crop


def _loss(vae: AutoencoderKL, target: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        mean, log_variance = vae.quant_conv(vae.encoder(target)).float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-20, 4)
        latents = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        decoded = vae.decoder(vae.post_quant_conv(latents)).float()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    return reconstruction_loss(decoded, target) + _KL_WEIGHT * kl


def reconstruction_loss(decoded: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How far decoded pictures are from their targets, both (n, 3, height, width) from -1 to 1."""
    # Edges are few pixels but all that makes a shape sharp.
    across = (target[..., :, 1:] - target[..., :, :-1]).abs().amax(1, keepdim=True)
    along = (target[..., 1:, :] - target[..., :-1, :]).abs().amax(1, keepdim=True)
    edges = torch.nn.functional.pad(across, (0, 1)) + torch.nn.functional.pad(along, (0, 0, 0, 1))
    weight = 1 + 2 * torch.nn.functional.max_pool2d(edges.clamp(max=1), 5, 1, 2)
    error = decoded - target
    reconstruction = (weight * (error.abs() + 2 * error.square())).mean()
    # Colours of areas come slowly through the group norms: an error that a whole block shares counts again.
    for block in (4, 16):
        shared = torch.nn.functional.avg_pool2d(error, block)
        reconstruction = reconstruction + 2 * (shared.abs() + 2 * shared.square()).mean()
    return reconstruction


@torch.no_grad()
def measure_vae(vae: AutoencoderKL, count: int = 24) -> tuple[float, float]:
    """Peak signal-to-noise ratio in dB of whole pictures after a round trip: of the world, and of the rich ones."""
    rng = random.Random(20)
    world = np.stack([draw_scene(sample_scene(rng, two_things=i % 2 == 1)) for i in range(count)])
    rich = np.stack([draw_rich_picture(rng) for _ in range(count)])
    scores = []
    for pictures in (world, rich):
        errors = []
        for target in to_tensor(pictures).split(4):
            decoded = vae.decode(vae.encode(target).latent_dist.mean).sample.clamp(-1, 1)
            errors += (decoded - target).square().mean(dim=(1, 2, 3)).tolist()
        scores.append(float(-10 * np.log10(np.mean(errors) / 4)))
    return scores[0], scores[1]
