"""LoRAs to paint with, as they are typed: `mascot`, `mascot:0.8`, `mascot@2:0.8`, several with commas between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backend_lambda.contract.training_limits import (
    DEFAULT_LORA_WEIGHT,
    MAX_LORA_NAME_CHARS,
    MAX_LORA_WEIGHT,
    MAX_LORAS,
)
from commands.grammar.options import Value
from commands.grammar.tokens import DASHES

NONE = "none"
"""Takes all LoRAs away, and so is the name of none."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
# A comma may stand for the point of a weight (`ink:0,8`) and stands between two LoRAs (`ink:1,mascot`).
LORA = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9-]*)(?:@(?P<version>[0-9]{1,6}))?"
    r"(?::(?P<weight>-?[0-9]{1,3}(?:[.,][0-9]{1,6})?))?(?=[,;\s]|$)"
)
SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")
HYPHENS = dict.fromkeys(map(ord, DASHES), "-")


@dataclass(frozen=True)
class LoraChoice:
    """One LoRA to paint with; without a version, its newest. `weight` scales what it adds."""

    name: str
    version: int | None = None
    weight: float = DEFAULT_LORA_WEIGHT

    @property
    def reference(self) -> str:
        """`mascot` or `mascot@2`."""
        return self.name if self.version is None else f"{self.name}@{self.version}"

    def to_json(self) -> dict[str, Any]:
        """As the backend takes it."""
        named = {} if self.version is None else {"version": self.version}
        return {"name": self.name, **named, "weight": self.weight}

    @classmethod
    def of_json(cls, document: dict[str, Any]) -> LoraChoice:
        """Read what `to_json` wrote, or what the backend says that a job used."""
        return cls(document["name"], document.get("version"), float(document["weight"]))


def is_lora_name(text: str) -> bool:
    """Whether a LoRA may be called so."""
    return bool(NAME.fullmatch(text)) and len(text) <= MAX_LORA_NAME_CHARS and text != NONE


def read_loras(text: str) -> tuple[LoraChoice, ...] | None:
    """What is named, in its order, or None where that makes no sense: an empty tuple stands for `none`."""
    text = text.lower().translate(HYPHENS).strip()
    if text == NONE:
        return ()
    choices: list[LoraChoice] = []
    at = 0
    while True:
        match = LORA.match(text, at)
        choice = _choice(match) if match is not None else None
        if match is None or choice is None or len(choices) == MAX_LORAS:
            return None
        choices.append(choice)
        if match.end() == len(text):
            break
        separator = SEPARATOR.match(text, match.end())
        if separator is None:
            return None
        at = separator.end()
    names = {choice.name for choice in choices}
    return tuple(choices) if len(names) == len(choices) else None


def write_loras(choices: Iterable[LoraChoice]) -> str:
    """Text that `read_loras` reads as the same choices."""
    text = ""
    for choice in choices:
        # After a weight, a comma and digits would be read as its decimals.
        separator = ";" if choice.name.isdigit() else ","
        text += f"{separator if text else ''}{write_lora(choice)}"
    return text or NONE


def write_lora(choice: LoraChoice) -> str:
    """`mascot@2:0.8`; the weight is left out where it is the usual one."""
    return choice.reference if choice.weight == DEFAULT_LORA_WEIGHT else f"{choice.reference}:{write_weight(choice)}"


def write_weight(choice: LoraChoice) -> str:
    """`0.8`, with at most six decimals."""
    return f"{choice.weight:.6f}".rstrip("0").rstrip(".")


def with_known_versions(chosen: Value, known: Sequence[LoraChoice]) -> str:
    """What `LorasOption` has read, where no version is named that of the same LoRA in `known`."""
    versions = {choice.name: choice.version for choice in known}
    choices = read_loras(str(chosen)) or ()
    return write_loras(
        choice if choice.version is not None else replace(choice, version=versions.get(choice.name))
        for choice in choices
    )


@dataclass(frozen=True)
class LorasOption:
    """At most four LoRAs, in one value or in several; or `none`."""

    name: str
    summary: str
    hint: str = "name:0.8"
    aliases: tuple[str, ...] = ()
    allowed: str = (
        f"name, name:0.8 or name@2:0.8, up to {MAX_LORAS} different ones with commas and no spaces between them, "
        f"weights from -{MAX_LORA_WEIGHT:g} to {MAX_LORA_WEIGHT:g}; or none"
    )
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    def read(self, text: str) -> str | None:
        """The LoRAs in one way of writing, or None."""
        choices = read_loras(text)
        return None if choices is None else write_loras(choices)

    def write(self, value: Value) -> str:
        """As it was read."""
        return str(value)

    def join(self, earlier: Value, text: str) -> str | None:
        """What was read before, and then what `text` names; None where that does not go together."""
        if earlier == NONE:
            return None
        return self.read(f"{earlier}; {text}")


def _choice(match: re.Match[str]) -> LoraChoice | None:
    name, version, weight = match["name"], match["version"], match["weight"]
    choice = LoraChoice(
        name,
        int(version) if version else None,
        float(weight.replace(",", ".")) if weight else DEFAULT_LORA_WEIGHT,
    )
    is_known = is_lora_name(name) and choice.version != 0 and abs(choice.weight) <= MAX_LORA_WEIGHT
    return choice if is_known else None
