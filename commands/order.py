"""What someone wants painted, as the bot carries it from the command to the backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from commands.grammar.loras import NONE, LoraChoice, read_loras, with_known_versions
from commands.grammar.options import Value, ratio_of

# Option name in the grammar → field of an order.
FIELDS = {
    "ar": "aspect_ratio",
    "n": "pictures",
    "seed": "seed",
    "steps": "steps",
    "cfg": "guidance_scale",
    "no": "negative_prompt",
    "model": "model",
    "lora": "loras",
}


@dataclass(frozen=True)
class PaintOrder:
    """A prompt and the settings that were named; None leaves a setting to the model's defaults.

    Sides are in pixels and come from an earlier job; they are given instead of `aspect_ratio`, never beside it.
    `loras` is what `commands.grammar.loras` writes.
    """

    prompt: str
    negative_prompt: str | None = None
    aspect_ratio: str | None = None
    width: int | None = None
    height: int | None = None
    pictures: int | None = None
    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    model: str | None = None
    loras: str | None = None

    @classmethod
    def from_values(cls, prompt: str, values: Mapping[str, Value]) -> PaintOrder:
        """An order from a prompt and the options that the grammar read."""
        return PaintOrder(prompt).changed(values)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> PaintOrder:
        """Read what `to_json` wrote; fields of a later version are ignored. Raises `KeyError` without a prompt."""
        known = {field.name for field in fields(cls)}
        return cls(**{"prompt": document["prompt"]} | {key: document[key] for key in document if key in known})

    def to_json(self) -> dict[str, Any]:
        """A JSON object without what is not named."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @property
    def chosen_loras(self) -> tuple[LoraChoice, ...]:
        """The LoRAs to paint with, one by one."""
        return read_loras(self.loras or NONE) or ()

    def changed(self, values: Mapping[str, Value]) -> PaintOrder:
        """This order with the named options (by their names in the grammar) replaced.

        A LoRA that is named again without a version keeps the one that it had here.
        """
        changes: dict[str, Any] = {FIELDS[name]: value for name, value in values.items() if name in FIELDS}
        if "aspect_ratio" in changes:
            changes |= {"width": None, "height": None}
        if "loras" in changes:
            chosen = with_known_versions(changes["loras"], self.chosen_loras)
            changes["loras"] = None if chosen == NONE else chosen
        return replace(self, **changes)

    def values(self) -> dict[str, Value]:
        """What is named, by the names in the grammar: the reverse of `from_values`, sides as a ratio."""
        ratio = self.aspect_ratio or (ratio_of(self.width, self.height) if self.width and self.height else None)
        by_field = {**self.to_json(), **({"aspect_ratio": ratio} if ratio else {})}
        return {name: by_field[field] for name, field in FIELDS.items() if field in by_field}
