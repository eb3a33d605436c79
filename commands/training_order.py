"""What someone wants trained, as the bot carries it from the form to the backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from commands.grammar.options import Value

SUBJECT, STYLE = "subject", "style"
PRESETS = ("draft", "standard", "fine")
STANDARD = "standard"


@dataclass(frozen=True)
class TrainingOrder:
    """What is filled in beside the pictures. `options` are the advanced ones that were named, as the contract's
    `TrainingOptions` calls them; the preset decides the others.
    """

    name: str
    trigger: str
    endpoint: str
    kind: str = SUBJECT
    what: str = ""
    preset: str = STANDARD
    options: Mapping[str, Value] = field(default_factory=dict)
    licence_note: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> TrainingOrder:
        """Read what `to_json` wrote; fields of a later version are ignored. Raises `KeyError` or `TypeError`."""
        known = {one.name for one in fields(cls)}
        return cls(**{key: value for key, value in document.items() if key in known})

    def to_json(self) -> dict[str, Any]:
        """A JSON object: with an idempotency key and a context it is the contract's `CreateTraining`."""
        return {**asdict(self), "options": dict(self.options)}
