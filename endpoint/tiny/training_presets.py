"""What LoRAs of the miniature model are trained with, found by trying (`endpoint.tiny.evaluate_training`)."""

from __future__ import annotations

from typing import TypedDict


class Preset(TypedDict):
    """What a preset decides, as `easel.json` says it. Pixels, steps."""

    rank: int
    steps: int
    batch_size: int
    learning_rate: float
    resolution: int
    prior_preservation: bool
    text_encoder: bool


def _preset(rank: int, steps: int, learning_rate: float) -> Preset:
    return Preset(
        rank=rank,
        steps=steps,
        batch_size=4,
        learning_rate=learning_rate,
        resolution=256,
        # Without it everything round becomes striped.
        prior_preservation=True,
        text_encoder=False,
    )


PRESETS: dict[str, Preset] = {
    "draft": _preset(rank=16, steps=200, learning_rate=2e-3),
    "standard": _preset(rank=16, steps=400, learning_rate=1.5e-3),
    "fine": _preset(rank=16, steps=800, learning_rate=1e-3),
}
