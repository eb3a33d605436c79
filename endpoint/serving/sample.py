"""One picture on its way from noise: everything that makes it independent of its neighbours."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor

from endpoint.serving.loras.low_rank import LoraSet
from endpoint.serving.paint_job import PaintJob


@dataclass(eq=False)
class Sample:
    """Latents, random numbers and scheduler are this picture's own; only the UNet's forward is shared."""

    job: PaintJob
    index: int
    """Which of the job's pictures."""
    latents: torch.Tensor
    generator: torch.Generator
    scheduler: Any
    timesteps: torch.Tensor
    prompt: torch.Tensor
    negative: torch.Tensor | None
    """None where guidance is off: then one forward a step is enough."""
    timestep_condition: torch.Tensor | None
    step_takes_generator: bool
    loras: LoraSet | None = None
    step: int = 0

    @staticmethod
    def begin(
        job: PaintJob,
        index: int,
        *,
        scheduler: Any,
        shape: tuple[int, int, int, int],
        prompt: torch.Tensor,
        negative: torch.Tensor | None,
        timestep_condition: torch.Tensor | None,
        loras: LoraSet | None = None,
    ) -> Sample:
        """Noise from the picture's seed, drawn on the CPU so that every device starts from the same."""
        request = job.request
        # Timesteps stay on the CPU: schedulers look them up, and a look-up on the GPU would wait for it.
        scheduler.set_timesteps(request.steps, device="cpu")
        generator = torch.Generator("cpu").manual_seed(request.seeds[index])
        noise = randn_tensor(shape, generator=generator, device=prompt.device, dtype=prompt.dtype)
        return Sample(
            job=job,
            index=index,
            latents=noise * scheduler.init_noise_sigma,
            generator=generator,
            scheduler=scheduler,
            timesteps=scheduler.timesteps,
            prompt=prompt,
            negative=negative,
            timestep_condition=timestep_condition,
            step_takes_generator="generator" in inspect.signature(scheduler.step).parameters,
            loras=loras,
        )

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.step >= len(self.timesteps)

    @property
    def timestep(self) -> torch.Tensor:
        """The next step's, a scalar on the CPU."""
        return self.timesteps[self.step]

    def model_input(self) -> torch.Tensor:
        """The latents as the UNet wants them at this step."""
        scaled: torch.Tensor = self.scheduler.scale_model_input(self.latents, self.timestep)
        return scaled

    def apply(self, noise_prediction: torch.Tensor) -> None:
        """Take the step."""
        options = {"generator": self.generator} if self.step_takes_generator else {}
        self.latents = self.scheduler.step(noise_prediction, self.timestep, self.latents, **options, return_dict=False)[
            0
        ]
        self.step += 1
        self.job.advance(self.index, self.step / len(self.timesteps))
