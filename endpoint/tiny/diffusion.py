"""Trains the UNet and the text encoder together on cached latents."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from endpoint.tiny.latents import LatentSet
from endpoint.tiny.pipeline import new_scheduler
from endpoint.tiny.progress import Checkpoint, one_cycle
from endpoint.tiny.reading import load_reader, say, tokenize
from endpoint.tiny.tokenizer import new_tokenizer
from endpoint.tiny.unet import new_text_encoder, new_unet
from endpoint.tiny.workers import Worker

_BATCH = 48
# The text encoder can read already.
_TEXT_LEARNING_SHARE = 0.3
_EMPTY_CAPTIONS = 0.1
_OTHER_FORMATS_SHARE = 0.03
_EMA_DECAY = 0.998


@dataclass(frozen=True)
class Cycle:
    """A rise and fall of the learning rate over `steps` steps. `noisiness` 1 draws all timesteps alike, more draws
    noisy ones more often: there colours and places are decided, at the other end the edges.
    """

    steps: int
    peak_learning_rate: float
    noisiness: float


class MovingAverage:
    """The exponential moving average of some modules' parameters: what is shipped."""

    def __init__(self, *modules: torch.nn.Module) -> None:
        self._parameters = [parameter for module in modules for parameter in module.parameters()]
        self._average = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes the parameters in; more eagerly at first."""
        decay = min(_EMA_DECAY, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._average, [parameter.detach() for parameter in self._parameters], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges the parameters with their average; a second call undoes it."""
        for parameter, average in zip(self._parameters, self._average, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """The averages, by position."""
        return {str(number): tensor for number, tensor in enumerate(self._average)}

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        for number, tensor in enumerate(self._average):
            tensor.copy_(state_dict[str(number)])


def train_diffusion(worker: Worker, work: Path, sets: list[LatentSet], cycles: Sequence[Cycle], seed: int) -> None:
    """Trains into the checkpoint `work`/unet.pt, going on from it where it exists."""
    tokenizer = new_tokenizer()
    unet, text_encoder = new_unet(seed + 1), load_reader(work, tokenizer)
    # The fused attention's way back takes 6 ms a call on a CPU, plain matrix products less than 1.
    unet.set_attn_processor(AttnProcessor())
    text_encoder.set_attn_implementation("eager")
    groups = {1.0: [*unet.parameters()], _TEXT_LEARNING_SHARE: [*text_encoder.parameters()]}
    trained = [parameter for group in groups.values() for parameter in group]
    optimizer = torch.optim.AdamW(
        [{"params": group, "share": share} for share, group in groups.items()],
        lr=1.0,
        weight_decay=1e-2,
        betas=(0.9, 0.99),
        fused=True,
    )
    average = MovingAverage(unet, text_encoder)
    checkpoint = Checkpoint(
        work / "unet.pt", unet=unet, text_encoder=text_encoder, optimizer=optimizer, average=average
    )
    steps, first = sum(cycle.steps for cycle in cycles), checkpoint.load()
    if first >= steps:
        return
    # Which format comes next is everybody's, what is drawn from it each worker's own.
    formats, rng = random.Random(f"formats {seed} {first}"), random.Random(f"diffusion {seed} {first} {worker.number}")
    torch.manual_seed((seed * 1_000_003 + first) * 64 + worker.number)
    signal = new_scheduler().alphas_cumprod
    # Not compiled: torch.compile (2.13, CPU, bf16 autocast, channels last) gives lower levels gradients of exactly 0.
    shares = [1.0] + [_OTHER_FORMATS_SHARE] * (len(sets) - 1)
    unet.train()
    text_encoder.train()
    started, losses = time.monotonic(), []
    for step in range(first, steps):
        cycle, at = _cycle_at(cycles, step)
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * one_cycle(at, cycle.steps, cycle.peak_learning_rate, warm_up=0.05)
        (part,) = formats.choices(sets, shares)
        loss = _loss(unet, text_encoder, tokenizer, part, signal, rng, _BATCH // worker.count, cycle.noisiness)
        optimizer.zero_grad()
        loss.backward()
        worker.average_gradients(trained)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update(step)
        losses.append(loss.item())
        if worker.leads and (step + 1) % 50 == 0:
            mean = sum(losses) / len(losses)
            print(f"unet {step + 1}/{steps} loss {mean:.4f} {time.monotonic() - started:.0f} s", flush=True)
            losses = []
        if worker.leads and ((step + 1) % 250 == 0 or step + 1 == steps):
            checkpoint.save(step + 1)
    worker.wait_for_all()


def load_diffusion(work: Path, tokenizer: CLIPTokenizer) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """The averaged UNet and text encoder of the checkpoint `work`/unet.pt."""
    unet, text_encoder = new_unet(0), new_text_encoder(tokenizer, 0)
    average = MovingAverage(unet, text_encoder)
    Checkpoint(work / "unet.pt", average=average).load()
    average.swap()
    return unet.eval(), text_encoder.eval()


def _cycle_at(cycles: Sequence[Cycle], step: int) -> tuple[Cycle, int]:
    for cycle in cycles:
        if step < cycle.steps:
            return cycle, step
        step -= cycle.steps
    raise ValueError("the training is over")


def _loss(
    unet: Any,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    part: LatentSet,
    signal: torch.Tensor,
    rng: random.Random,
    batch: int,
    noisiness: float,
) -> torch.Tensor:
    chosen = [rng.randrange(len(part.scenes)) for _ in range(batch)]
    tokens = tokenize(tokenizer, ["" if rng.random() < _EMPTY_CAPTIONS else say(part.scenes[at], rng) for at in chosen])
    latents = part.latents[chosen].contiguous(memory_format=torch.channels_last)
    uniform = torch.rand(batch)
    timesteps = (1000 * (1 - (1 - uniform) ** noisiness)).long().clamp(0, 999)
    kept = signal[timesteps].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    target = kept.sqrt() * noise - (1 - kept).sqrt() * latents
    with torch.autocast("cpu", torch.bfloat16):
        text = text_encoder(tokens).last_hidden_state
        predicted = unet(noisy, timesteps, text).sample
    return torch.nn.functional.mse_loss(predicted.float(), target)
