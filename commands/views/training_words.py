"""Estimates and settings of trainings in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.grammar.clean import escape
from commands.trouble import code

if TYPE_CHECKING:
    from backend_lambda.contract.trainings import Estimate, TrainingSettings

PRESETS = {
    "draft": ("Draft", "A first look, soon there"),
    "standard": ("Standard", "Good for most"),
    "fine": ("Fine", "Takes longest, follows the pictures most closely"),
}


def about(seconds: float) -> str:
    """A duration as people estimate: `40 s`, `12 min`, `2 h 10 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def estimate_text(estimate: Estimate) -> str:
    """Time, cost, and on what."""
    if estimate.dollars is None:
        cost = "cost unknown"
    else:
        cost = f"about ${estimate.dollars:.2f}" if estimate.dollars >= 0.01 else "less than $0.01"
    spot = ", which AWS may interrupt (it goes on from where it was)" if estimate.spot else ""
    return f"about {about(estimate.seconds)}, {cost}, on {escape(estimate.instance_type)}{spot}"


def settings_phrases(settings: TrainingSettings) -> list[str]:
    """All settings, as short phrases."""
    return [
        f"{settings.steps:,} steps",
        f"rank {settings.rank}",
        f"{settings.resolution} px",
        f"learning rate {settings.learning_rate:g}",
        "prior preservation" if settings.prior_preservation else "",
        "text encoder too" if settings.text_encoder else "",
        f"seed {code(str(settings.seed))}",
    ]


def preset_name(preset: str) -> str:
    """As the form calls it."""
    return PRESETS.get(preset, (preset, ""))[0]


def pictures_count(count: int) -> str:
    """`1 picture`, `8 pictures`."""
    return "1 picture" if count == 1 else f"{count} pictures"
