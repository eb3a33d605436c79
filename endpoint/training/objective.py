"""What the UNet should say of noisy latents, and how much each timestep counts."""

from __future__ import annotations

import torch

PREDICTION_TYPES = ("epsilon", "v_prediction")


class Objective:
    """Of one noise schedule: `alphas_cumprod`, the share of the signal's variance by timestep, may end at exactly 0."""

    def __init__(self, alphas_cumprod: torch.Tensor, prediction_type: str, min_snr_gamma: float) -> None:
        if prediction_type not in PREDICTION_TYPES:
            raise ValueError(f"unknown prediction type {prediction_type}")
        self._signal = alphas_cumprod.detach().float().cpu()
        self._prediction_type = prediction_type
        self._weights = min_snr_weights(self._signal, prediction_type, min_snr_gamma)

    @property
    def timesteps(self) -> int:
        """How many there are."""
        return len(self._signal)

    def noisy(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """The latents as they are at these timesteps (one for each), float32."""
        kept = self._kept(latents, timesteps)
        return kept.sqrt() * latents + (1 - kept).sqrt() * noise

    def target(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """What the UNet should predict: the noise, or the velocity (arXiv 2202.00512, appendix D)."""
        if self._prediction_type == "epsilon":
            return noise
        kept = self._kept(latents, timesteps)
        return kept.sqrt() * noise - (1 - kept).sqrt() * latents

    def weights(self, timesteps: torch.Tensor) -> torch.Tensor:
        """How much each of these timesteps counts."""
        return self._weights[timesteps.cpu()]

    def _kept(self, latents: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        return self._signal[timesteps.cpu()].to(latents.device).view(-1, *[1] * (latents.dim() - 1))


def min_snr_weights(alphas_cumprod: torch.Tensor, prediction_type: str, gamma: float) -> torch.Tensor:
    """Each timestep's weight, so that nearly clean latents don't outweigh the rest (min-SNR, arXiv 2303.09556).

    Seen as an error of the clean latents, a noise prediction's loss counts SNR times, a velocity's SNR + 1 times; at
    most `gamma` times is what remains. What is noisier is left as the model was trained, down to a signal of 0, where
    min(SNR, gamma) / (SNR + 1) would leave a velocity with no loss at all. All ones where `gamma` is 0.
    """
    if gamma == 0:
        return torch.ones_like(alphas_cumprod)
    noise_share = 1 - alphas_cumprod
    if prediction_type == "epsilon":
        # min(SNR, gamma) / SNR, written so that an SNR of 0 gives 1.
        return (gamma * noise_share / alphas_cumprod.clamp(min=1e-12)).clamp(max=1.0)
    # min(SNR + 1, gamma) / (SNR + 1), and SNR + 1 = 1 / noise share.
    return (gamma * noise_share).clamp(max=1.0)
