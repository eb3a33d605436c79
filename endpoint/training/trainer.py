"""The steps of a training. Each is a function of the state before it and its number: nothing else is remembered."""

from __future__ import annotations

import math
import time
from collections import defaultdict

import torch

from endpoint.training.base_model import BaseModel
from endpoint.training.checkpoints import TrainingState
from endpoint.training.encoded import EncodedSet, Texts
from endpoint.training.failures import diverged
from endpoint.training.lora import Lora
from endpoint.training.objective import Objective
from endpoint.training.randomness import generator, picks
from endpoint.training_contract import TrainingRequest

_WARM_UP_SHARE = 0.05
_LEAST_LEARNING_SHARE = 0.02
_WEIGHT_DECAY = 1e-2
_LARGEST_GRADIENT = 1.0
# The base model's own words are missed by little, and would weigh little beside the pictures' noise.
_PRIOR_SHARE = 10.0


class Trainer:
    """Trains a LoRA's layers on an encoded set."""

    def __init__(self, model: BaseModel, lora: Lora, encoded: EncodedSet, request: TrainingRequest) -> None:
        self._model, self._lora, self._encoded, self._request = model, lora, encoded, request
        self._texts = Texts(model, trained=request.text_encoder)
        self._objective = Objective(
            model.pipeline.scheduler.alphas_cumprod,
            model.pipeline.scheduler.config.get("prediction_type", "epsilon"),
            request.min_snr_gamma,
        )
        self._parameters = lora.named_parameters()
        self._optimizer = torch.optim.AdamW(self._parameters.values(), lr=0.0, weight_decay=_WEIGHT_DECAY, fused=True)
        self.losses: list[float] = []
        """One for each step that was taken."""
        self.seconds = 0.0
        """Of training alone, over all runs."""

    @property
    def finished(self) -> bool:
        """Whether all steps were taken."""
        return len(self.losses) >= self._request.steps

    def step(self) -> None:
        """Take one. Raises `TrainingFailed` where the loss is no number."""
        started, step = time.perf_counter(), len(self.losses)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(step, self._request.steps, self._request.learning_rate)
        loss = self._loss(step)
        value = loss.item()
        if not math.isfinite(value):
            raise diverged(step + 1)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), _LARGEST_GRADIENT)
        self._optimizer.step()
        self.losses.append(value)
        self.seconds += time.perf_counter() - started

    def state(self) -> TrainingState:
        """Everything that `restore` needs; it shares its tensors with the training."""
        parameters = {name: parameter.detach() for name, parameter in self._parameters.items()}
        return TrainingState(parameters, self._optimizer.state_dict(), list(self.losses), self.seconds)

    @torch.no_grad()
    def restore(self, state: TrainingState) -> None:
        """Go on from there."""
        for name, parameter in self._parameters.items():
            parameter.copy_(state.parameters[name])
        self._optimizer.load_state_dict(state.optimizer)
        self.losses, self.seconds = list(state.losses), state.seconds

    def _loss(self, step: int) -> torch.Tensor:
        """The mean over the step's pictures, and over as many that preserve the prior, weighted."""
        request, encoded = self._request, self._encoded
        chosen = self._picks("pictures", len(encoded.latents), step)
        latents = [encoded.latents[at] for at in chosen]
        captions = [encoded.captions[at] for at in chosen]
        of_prior = self._picks("prior", len(encoded.prior_latents), step) if encoded.prior_latents else []
        latents += [encoded.prior_latents[at] for at in of_prior]
        captions += [encoded.prior_captions[at] for at in of_prior]
        random = generator(request.seed, "step", step)
        noises = [torch.randn(each.shape, generator=random).to(self._model.device) for each in latents]
        timesteps = torch.randint(0, self._objective.timesteps, (len(latents),), generator=random)
        noisy = [self._objective.noisy(*each) for each in zip(latents, noises, timesteps, strict=True)]
        own = [self._objective.target(*each) for each in zip(latents, noises, timesteps, strict=True)]
        targets = own[: len(chosen)]
        if of_prior:
            assert encoded.prior_states is not None
            with torch.no_grad(), self._lora.left_out():
                targets += self._predict(noisy[len(chosen) :], timesteps[len(chosen) :], encoded.prior_states[of_prior])
        weights = [float(weight) / len(chosen) for weight in self._objective.weights(timesteps[: len(chosen)])]
        # Every timestep alike: the nearly clean ones, which min-SNR leaves out, are where edges would fray.
        weights += [_PRIOR_SHARE * request.prior_weight / len(of_prior) for _ in of_prior]
        states = self._texts.of(captions)
        # Pictures of different shapes can't share a forward; mostly there is one shape.
        by_shape: dict[torch.Size, list[int]] = defaultdict(list)
        for at, each in enumerate(latents):
            by_shape[each.shape].append(at)
        losses = []
        for alike in by_shape.values():
            predicted = self._predict([noisy[at] for at in alike], timesteps[alike], states[alike])
            misses = predicted.float() - torch.stack([targets[at] for at in alike]).float()
            errors = misses.square().flatten(1).mean(1)
            losses.append(errors @ torch.tensor([weights[at] for at in alike], device=errors.device))
        return torch.stack(losses).sum()

    def _predict(self, noisy: list[torch.Tensor], timesteps: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        inputs = torch.stack(noisy).contiguous(memory_format=torch.channels_last)
        with self._model.autocast():
            output = self._model.unet(inputs, timesteps.to(inputs.device), states, return_dict=False)
        predicted: torch.Tensor = output[0]
        return predicted

    def _picks(self, purpose: str, count: int, step: int) -> list[int]:
        return picks(self._request.seed, purpose, count, self._request.batch_size, step)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """A short linear rise, then a cosine down to nearly 0. `step` counts from 0."""
    warm_up = max(1, round(steps * _WARM_UP_SHARE))
    if step < warm_up:
        return peak * (step + 1) / warm_up
    at = (step + 1 - warm_up) / max(1, steps - warm_up)
    return peak * (_LEAST_LEARNING_SHARE + (1 - _LEAST_LEARNING_SHARE) * 0.5 * (1 + math.cos(math.pi * at)))
