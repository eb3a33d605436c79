"""How long a training takes and what it costs, before anybody submits it. Pure and cheap: forms compute it too."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from backend_lambda.contract.trainings import Estimate, TrainingPreset, TrainingSettings


class TrainingOffer(BaseModel):
    """What an endpoint's model can be trained with: the presets' settings (seed 0) and how fast the instance is.

    `seconds_per_step` is measured at `resolution` of the standard preset and batch size 1. Prices are dollars an hour,
    None where unknown; `spot` says that interruptible instances are used.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    instance_type: str
    price_per_hour: float | None = Field(default=None, ge=0)
    spot: bool
    start_seconds: float = Field(ge=0)
    """From the approval to the first step, pictures encoded."""
    seconds_per_step: float = Field(gt=0)
    presets: dict[TrainingPreset, TrainingSettings]


def estimate(offer: TrainingOffer, settings: TrainingSettings) -> Estimate:
    """Time grows with steps, pictures in a step (a step of prior preservation has twice as many) and pixels."""
    standard = offer.presets[TrainingPreset.STANDARD]
    pixels = (settings.resolution / standard.resolution) ** 2
    step = offer.seconds_per_step * settings.batch_size * (2 if settings.prior_preservation else 1) * pixels
    seconds = math.ceil(offer.start_seconds + settings.steps * step)
    dollars = None if offer.price_per_hour is None else round(offer.price_per_hour * seconds / 3600, 2)
    return Estimate(seconds=seconds, dollars=dollars, instance_type=offer.instance_type, spot=offer.spot)
