"""A job's settings in small print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.grammar.clean import escape
from commands.grammar.loras import LoraChoice, write_loras, write_weight
from commands.order import PaintOrder
from commands.sentences import code
from commands.views.blocks import quoted


@dataclass(frozen=True)
class FinishedSettings:
    """Everything that decided a job's pictures. Sides in pixels; one seed a picture; LoRAs as the backend says them."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    seeds: Sequence[int]
    steps: int
    guidance_scale: float
    model: str
    loras: Sequence[Mapping[str, Any]] = ()

    @property
    def used_loras(self) -> tuple[LoraChoice, ...]:
        """Each with its exact version."""
        return tuple(LoraChoice.of_json(dict(one)) for one in self.loras)

    def order(self, endpoint: str) -> PaintOrder:
        """The order that paints the same pictures again on `endpoint`."""
        return PaintOrder(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt or None,
            width=self.width,
            height=self.height,
            pictures=len(self.seeds),
            seed=self.seeds[0],
            steps=self.steps,
            guidance_scale=self.guidance_scale,
            model=endpoint,
            loras=write_loras(self.used_loras) if self.loras else None,
        )


def named_settings(order: PaintOrder) -> list[str]:
    """What was named beside the prompt, as short phrases."""
    size = f"{order.width}×{order.height}" if order.width and order.height else order.aspect_ratio
    phrases = [
        f"{order.pictures} pictures" if order.pictures and order.pictures > 1 else "",
        escape(size or ""),
        f"seed {code(str(order.seed))}" if order.seed is not None else "",
        f"{order.steps} steps" if order.steps is not None else "",
        f"guidance {order.guidance_scale:g}" if order.guidance_scale is not None else "",
        escape(order.model or ""),
        loras_text(order.chosen_loras),
        f"without {quoted(order.negative_prompt)}" if order.negative_prompt else "",
    ]
    return [phrase for phrase in phrases if phrase]


def finished_settings(settings: FinishedSettings) -> list[str]:
    """All settings, as short phrases."""
    seeds = f"seed {code(str(settings.seeds[0]))}" if settings.seeds else ""
    if len(settings.seeds) > 1:
        seeds = "seeds " + ", ".join(code(str(seed)) for seed in settings.seeds)
    phrases = [
        seeds,
        f"{settings.width}×{settings.height}",
        f"{settings.steps} steps",
        f"guidance {settings.guidance_scale:g}",
        escape(settings.model),
        loras_text(settings.used_loras),
        f"without {quoted(settings.negative_prompt)}" if settings.negative_prompt else "",
    ]
    return [phrase for phrase in phrases if phrase]


def loras_text(choices: Sequence[LoraChoice]) -> str:
    """`mascot@2 0.8, ink@1 1`; empty without LoRAs."""
    return ", ".join(f"{escape(choice.reference)} {write_weight(choice)}" for choice in choices)
