"""The objective is diffusers' own arithmetic, and min-SNR only ever takes weight away."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.training_utils import compute_snr

from endpoint.training.objective import Objective, min_snr_weights
from endpoint.training.randomness import generator, picks
from endpoint.training.trainer import learning_rate
from tests.fakes.random_checkpoint import zero_snr_ddim

TIMESTEPS = torch.tensor([0, 250, 600, 999])


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_noise_and_target_are_the_schedulers(prediction_type: str) -> None:
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", prediction_type=prediction_type)
    random = torch.Generator().manual_seed(1)
    latents, noise = (torch.randn((4, 4, 8, 6), generator=random) for _ in range(2))
    objective = Objective(scheduler.alphas_cumprod, prediction_type, 0)
    torch.testing.assert_close(
        objective.noisy(latents, noise, TIMESTEPS), scheduler.add_noise(latents, noise, TIMESTEPS)
    )
    expected = noise if prediction_type == "epsilon" else scheduler.get_velocity(latents, noise, TIMESTEPS)
    torch.testing.assert_close(objective.target(latents, noise, TIMESTEPS), expected)
    assert objective.weights(TIMESTEPS).eq(1).all()


def test_min_snr_of_a_noise_prediction() -> None:
    scheduler = DDPMScheduler(beta_schedule="scaled_linear")
    snr = compute_snr(scheduler, torch.arange(1000))
    weights = min_snr_weights(scheduler.alphas_cumprod, "epsilon", 5.0)
    torch.testing.assert_close(weights, snr.clamp(max=5.0) / snr, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scheduler", [zero_snr_ddim(), DDIMScheduler(prediction_type="v_prediction")])
def test_min_snr_of_a_velocity(scheduler: DDIMScheduler) -> None:
    snr = compute_snr(scheduler, torch.arange(1000))
    weights = min_snr_weights(scheduler.alphas_cumprod, "v_prediction", 5.0)
    torch.testing.assert_close(weights, (snr + 1).clamp(max=5.0) / (snr + 1), rtol=1e-4, atol=1e-6)
    assert weights[-1] == 1, "where nothing of the picture is left, the loss counts in full"


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_without_gamma_all_timesteps_count_alike(prediction_type: str) -> None:
    assert min_snr_weights(zero_snr_ddim().alphas_cumprod, prediction_type, 0).eq(1).all()


def test_every_picture_is_taken_once_before_any_is_taken_again() -> None:
    taken = [at for step in range(4) for at in picks(seed=3, purpose="pictures", count=6, batch_size=3, step=step)]
    assert sorted(taken[:6]) == sorted(taken[6:]) == list(range(6))
    assert taken[:6] != taken[6:]
    assert picks(3, "pictures", 6, 3, 2) == taken[6:9], "a step doesn't depend on those before it"
    assert picks(3, "pictures", 2, 5, 0) != picks(3, "prior", 2, 5, 0) or picks(3, "pictures", 5, 5, 0) != picks(
        3, "prior", 5, 5, 0
    )


def test_random_numbers_are_of_a_purpose() -> None:
    first = torch.randn(4, generator=generator(1, "step", 5))
    assert torch.equal(first, torch.randn(4, generator=generator(1, "step", 5)))
    assert not torch.equal(first, torch.randn(4, generator=generator(1, "step", 6)))
    assert not torch.equal(first, torch.randn(4, generator=generator(2, "step", 5)))


def test_learning_rate_rises_then_falls_to_nearly_nothing() -> None:
    rates = [learning_rate(step, 100, 1e-3) for step in range(100)]
    assert max(rates) == rates[4] == 1e-3
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] == pytest.approx(2e-5)
    assert learning_rate(0, 1, 1e-3) == 1e-3
