"""The parts of a Stable Diffusion checkpoint as the step engine uses them, one picture or many at a time."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from endpoint.serving.errors import model_failed
from endpoint.serving.loras.layers import LoraLayers
from endpoint.serving.loras.low_rank import Key, Lora, LoraSet, combine, key_of
from endpoint.serving.loras.naming import Part
from endpoint.serving.loras.read_lora import read_lora
from endpoint.serving.loras.target_modules import TargetModules
from endpoint.serving.paint_job import PaintJob, Pixels
from endpoint.serving.prompt_embeddings import PromptEmbeddings
from endpoint.serving.sample import Sample


class StableDiffusion:
    """Wraps a loaded `StableDiffusionPipeline`; the same arithmetic as its `__call__`, cut into steps."""

    def __init__(self, pipeline: Any, *, guidance_rescale: float = 0.0, embedding_cache_entries: int = 256) -> None:
        self._pipeline = pipeline
        self._unet = pipeline.unet
        self._vae = pipeline.vae
        self._guidance_rescale = guidance_rescale
        self._embeddings = PromptEmbeddings(self._encode, embedding_cache_entries)
        self._targets = TargetModules(pipeline.unet, pipeline.text_encoder)
        self._unet_loras = LoraLayers(Part.UNET, self._targets.of[Part.UNET])
        self._text_loras = LoraLayers(Part.TEXT_ENCODER, self._targets.of[Part.TEXT_ENCODER])
        self._sets: weakref.WeakValueDictionary[Key, LoraSet] = weakref.WeakValueDictionary()
        self._sets_lock = threading.Lock()

    @property
    def device(self) -> torch.device:
        """Where the UNet's weights are."""
        device: torch.device = self._unet.device
        return device

    def read_lora(self, path: Path, sha256: str) -> Lora:
        """A file's layers, ready for the model. On any thread. Raises `LoraUnusable`."""
        return read_lora(path, sha256, self._targets)

    def combine_loras(self, weighted: Sequence[tuple[Lora, float]]) -> LoraSet | None:
        """One set for all jobs that ask for the same. On any thread."""
        key = key_of(weighted)
        with self._sets_lock:
            kept = self._sets.get(key)
        if kept is not None:
            return kept
        with torch.no_grad():
            made = combine(weighted)
        if made is not None:
            with self._sets_lock:
                made = self._sets.setdefault(key, made)
        return made

    def forget_loras(self) -> None:
        """Let go of what running batches needed."""
        self._unet_loras.forget()
        self._text_loras.forget()

    def begin(self, job: PaintJob, index: int) -> Sample:
        """The picture's noise, schedule and text."""
        request = job.request
        distilled = self._unet.config.time_cond_proj_dim is not None
        guided = request.guidance_scale > 1 and not distilled
        factor = self._pipeline.vae_scale_factor
        loras: LoraSet | None = job.loras
        prompt = self._embeddings.of(request.prompt, loras)
        return Sample.begin(
            job,
            index,
            scheduler=self._pipeline.scheduler.from_config(self._pipeline.scheduler.config),
            shape=(1, self._unet.config.in_channels, request.height // factor, request.width // factor),
            prompt=prompt,
            negative=self._embeddings.of(request.negative_prompt, loras) if guided else None,
            timestep_condition=self._guidance_embedding(request.guidance_scale, prompt) if distilled else None,
            loras=loras,
        )

    def predict(self, samples: Sequence[Sample]) -> list[torch.Tensor]:
        """Each sample's noise prediction at its own timestep and guidance, from one forward for all of them."""
        inputs, timesteps, texts, conditions, loras = [], [], [], [], []
        for sample in samples:
            model_input = sample.model_input()
            rows = [sample.prompt] if sample.negative is None else [sample.negative, sample.prompt]
            for text in rows:
                inputs.append(model_input)
                timesteps.append(sample.timestep)
                texts.append(text)
                conditions.append(sample.timestep_condition)
                loras.append(sample.loras)
        condition = None if conditions[0] is None else torch.cat([each for each in conditions if each is not None])
        with self._unet_loras.applied(loras):
            predictions = self._unet(
                torch.cat(inputs).contiguous(memory_format=torch.channels_last),
                torch.stack(timesteps).to(self.device, non_blocking=True),
                encoder_hidden_states=torch.cat(texts),
                timestep_cond=condition,
                return_dict=False,
            )[0]
        guided, row = [], 0
        for sample in samples:
            if sample.negative is None:
                guided.append(predictions[row : row + 1])
                row += 1
                continue
            negative, positive = predictions[row : row + 1], predictions[row + 1 : row + 2]
            noise = negative + sample.job.request.guidance_scale * (positive - negative)
            if self._guidance_rescale > 0:
                noise = rescale_noise_cfg(noise, positive, self._guidance_rescale)
            guided.append(noise)
            row += 2
        return guided

    def decode(self, sample: Sample) -> Pixels:
        """The picture. Raises `InvocationFailed` (`model_failed`) where the numbers are none."""
        latents = sample.latents.to(self._vae.dtype) / self._vae.config.scaling_factor
        image = self._vae.decode(latents, return_dict=False, generator=sample.generator)[0]
        image, flagged = self._pipeline.run_safety_checker(image, self.device, sample.prompt.dtype)
        keep = [not each for each in flagged] if flagged is not None else [True]
        picture = self._pipeline.image_processor.postprocess(image, output_type="np", do_denormalize=keep)[0]
        return to_pixels(picture)

    def _encode(self, text: str, loras: LoraSet | None) -> torch.Tensor:
        with self._text_loras.applied([loras]):
            embedding: torch.Tensor = self._pipeline.encode_prompt(text, self.device, 1, False)[0]
        return embedding

    def _guidance_embedding(self, guidance_scale: float, prompt: torch.Tensor) -> torch.Tensor:
        scale = torch.tensor(guidance_scale - 1).repeat(1)
        width = self._unet.config.time_cond_proj_dim
        embedding: torch.Tensor = self._pipeline.get_guidance_scale_embedding(scale, embedding_dim=width)
        return embedding.to(device=prompt.device, dtype=prompt.dtype)


def to_pixels(picture: np.ndarray) -> Pixels:
    """Bytes from diffusers' floats in 0–1; NaN or infinity means that the model failed."""
    if not np.isfinite(picture).all():
        raise model_failed()
    return (picture * 255).round().astype(np.uint8)
