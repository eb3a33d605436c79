"""The loop of diffusers' own example for LoRAs, for comparison: every step encodes its pictures and captions anew.

After examples/text_to_image/train_text_to_image_lora.py of diffusers: the same calls in the same order, with its
defaults (AdamW, constant learning rate, no min-SNR, `accelerate` around it, pictures decoded and scaled by the data
loader). Only torchvision's transforms are done with Pillow, and nothing is saved or painted in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import cast_training_params
from peft import LoraConfig
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPTextModel, CLIPTokenizer


class _Pictures(Dataset[dict[str, torch.Tensor]]):
    def __init__(self, files: Sequence[Path], captions: Sequence[str], tokenizer: Any, resolution: int) -> None:
        self._files, self._captions = files, captions
        self._tokenizer, self._resolution = tokenizer, resolution

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, at: int) -> dict[str, torch.Tensor]:
        with Image.open(self._files[at]) as opened:
            picture = opened.convert("RGB")
        scale = self._resolution / min(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        pixels = np.asarray(picture.resize(size, Image.Resampling.BILINEAR), np.float32) / 127.5 - 1
        tokens = self._tokenizer(
            [self._captions[at]],
            max_length=self._tokenizer.model_max_length,
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return {"pixel_values": torch.from_numpy(pixels).permute(2, 0, 1), "input_ids": tokens[0]}


def stock_steps(
    model: Path,
    files: Sequence[Path],
    captions: Sequence[str],
    *,
    layers: Sequence[str],
    rank: int,
    resolution: int,
    batch_size: int,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Iterator[float]:
    """Takes one step each time it is asked, and gives its loss; for ever."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    scheduler = DDPMScheduler.from_pretrained(model, subfolder="scheduler")
    tokenizer = CLIPTokenizer.from_pretrained(model, subfolder="tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(model, subfolder="text_encoder", dtype=torch.float32)
    vae = AutoencoderKL.from_pretrained(model, subfolder="vae", torch_dtype=torch.float32)
    unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet", torch_dtype=torch.float32)
    for part in (unet, vae, text_encoder):
        part.requires_grad_(False)
        part.to(accelerator.device)
    for part in (unet, vae):
        part.to(memory_format=memory_format)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(layers)))
    cast_training_params(unet, dtype=torch.float32)
    trained = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8)
    loader = DataLoader(
        _Pictures(files, captions, tokenizer, resolution), shuffle=True, batch_size=batch_size, num_workers=0
    )
    rates = get_scheduler("constant", optimizer=optimizer, num_warmup_steps=500, num_training_steps=15_000)
    unet, optimizer, loader, rates = accelerator.prepare(unet, optimizer, loader, rates)
    while True:
        unet.train()
        for batch in loader:
            with accelerator.accumulate(unet):
                latents = vae.encode(batch["pixel_values"]).latent_dist.sample() * vae.config.scaling_factor
                noise = torch.randn_like(latents)
                timesteps = torch.randint(
                    0, scheduler.config.num_train_timesteps, (latents.shape[0],), device=latents.device
                )
                noisy = scheduler.add_noise(latents, noise, timesteps)
                states = text_encoder(batch["input_ids"], return_dict=False)[0]
                if scheduler.config.prediction_type == "v_prediction":
                    target = scheduler.get_velocity(latents, noise, timesteps)
                else:
                    target = noise
                predicted = unet(noisy, timesteps, states, return_dict=False)[0]
                loss = torch.nn.functional.mse_loss(predicted.float(), target.float(), reduction="mean")
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(trained, 1.0)
                optimizer.step()
                rates.step()
                optimizer.zero_grad()
            yield loss.detach().item()
