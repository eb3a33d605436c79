"""What an endpoint's model is trained with: the settings of the presets, and the machine that trains.

The presets of a model stand in its `easel.json`; without any, those of its family (`model_index.json`'s class) are
taken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from backend_lambda.contract.training_estimate import TrainingOffer
from backend_lambda.contract.trainings import TrainingPreset, TrainingSettings
from endpoint.contract import ModelCard, PresetSettings, TrainingPresets

# Where people start from with these families; what suits a model best belongs into its easel.json.
_FAMILIES = {
    "StableDiffusionPipeline": TrainingPresets(
        draft=PresetSettings(rank=8, steps=400, batch_size=2, learning_rate=1e-4, resolution=512),
        standard=PresetSettings(rank=16, steps=1_000, batch_size=2, learning_rate=1e-4, resolution=512),
        fine=PresetSettings(rank=32, steps=2_000, batch_size=2, learning_rate=1e-4, resolution=512),
    ),
    "StableDiffusionXLPipeline": TrainingPresets(
        draft=PresetSettings(rank=8, steps=400, batch_size=1, learning_rate=1e-4, resolution=1_024),
        standard=PresetSettings(rank=16, steps=1_000, batch_size=1, learning_rate=1e-4, resolution=1_024),
        fine=PresetSettings(rank=32, steps=2_000, batch_size=1, learning_rate=1e-4, resolution=1_024),
    ),
}


class NotTrainable(Exception):
    """The plan can't be carried out; the message says what to change."""


@dataclass(frozen=True)
class TrainingPlan:
    """The machine that trains for an endpoint. A spot instance is cheaper and may be taken away; a warm pool keeps an
    instance for the next training. SageMaker allows only one of both.

    `price_per_hour` in dollars, on demand or spot as the operator knows it; None: estimates have no dollars.
    `start_seconds` from the approval to the first step;
    `seconds_per_step` at the standard preset's resolution and batch size 1.
    """

    instance_type: str = "ml.g5.xlarge"
    spot: bool = True
    warm_pool_seconds: int = 0
    price_per_hour: float | None = None
    start_seconds: float = 420.0
    seconds_per_step: float = 0.5

    def __post_init__(self) -> None:
        if self.spot and self.warm_pool_seconds:
            raise NotTrainable("SageMaker keeps no spot instance for the next job: a warm pool needs on-demand ones")
        if not 0 <= self.warm_pool_seconds <= 3_600:
            raise NotTrainable("a warm pool is kept for 0 to 3600 seconds")


def presets_of(card: ModelCard, pipeline: str) -> TrainingPresets | None:
    """The card's own presets, or those of its family; None where neither has any. `pipeline`: diffusers' class."""
    return card.training or _FAMILIES.get(pipeline)


def training_item(plan: TrainingPlan, presets: TrainingPresets, image_uri: str) -> str:
    """The attribute `training` of an endpoint's item: `TrainingOffer`, the image and the warm pool, as JSON."""
    offer = TrainingOffer(
        instance_type=plan.instance_type,
        price_per_hour=plan.price_per_hour,
        spot=plan.spot,
        start_seconds=plan.start_seconds,
        seconds_per_step=plan.seconds_per_step,
        presets={
            preset: TrainingSettings(**getattr(presets, preset.value).model_dump(), seed=0) for preset in TrainingPreset
        },
    )
    described: dict[str, Any] = offer.model_dump(mode="json")
    return json.dumps({**described, "image_uri": image_uri, "warm_pool_seconds": plan.warm_pool_seconds})
