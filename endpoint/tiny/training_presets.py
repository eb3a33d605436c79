"""The settings of the presets for the miniature model, found by trying (`endpoint.tiny.evaluate_training`)."""

from __future__ import annotations

from typing import TypedDict


class Preset(TypedDict):
    """What a preset decides of a `TrainingRequest`."""

    rank: int
    steps: int
    batch_size: int
    learning_rate: float
    resolution: int
    prior_pictures: int
    text_encoder: bool


PRESETS: dict[str, Preset] = {
    "draft": Preset(
        rank=16, steps=60, batch_size=4, learning_rate=2e-3, resolution=256, prior_pictures=0, text_encoder=False
    ),
    "standard": Preset(
        rank=16, steps=400, batch_size=4, learning_rate=2e-3, resolution=256, prior_pictures=24, text_encoder=False
    ),
    "fine": Preset(
        rank=16, steps=800, batch_size=4, learning_rate=2e-3, resolution=256, prior_pictures=24, text_encoder=False
    ),
}
