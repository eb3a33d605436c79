"""The LoRAs in the form: chosen with type-ahead, with one weight for all of them or one each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from backend_lambda.contract.training_limits import DEFAULT_LORA_WEIGHT, MAX_LORA_WEIGHT, MAX_LORAS
from commands.grammar.loras import NONE, LoraChoice, write_weight
from commands.imagine import LORA
from commands.views.action_ids import LORA_SELECT
from commands.views.blocks import Block, plain

LORA_WEIGHT = "lora_weight"
MAX_WEIGHT_CHARS = 60
MAX_OFFERED = 100
BETWEEN_WEIGHTS = re.compile(r"[;\s]+|,(?=\s|$)[;\s]*")
WEIGHT = re.compile(r"-?[0-9]{1,3}(?:[.,][0-9]{1,6})?")
VERSION = re.compile(r"(?P<name>.+)@(?P<version>[0-9]{1,6})")


def lora_select(chosen: Sequence[LoraChoice]) -> Block:
    """A select that takes several; those of an earlier picture stay at their exact versions."""
    initial = [_option(choice.reference, choice.reference) for choice in chosen]
    return {
        "type": "multi_external_select",
        "action_id": LORA_SELECT,
        "min_query_length": 0,
        "max_selected_items": MAX_LORAS,
        "placeholder": plain("none", 150),
        **({"initial_options": initial} if initial else {}),
    }


def weight_input(chosen: Sequence[LoraChoice]) -> Block:
    """One weight where all have the same, else one each."""
    weights = [write_weight(choice) for choice in chosen]
    if len(set(weights)) == 1:
        weights = weights[:1]
    initial = ", ".join(weights)
    return {
        "type": "plain_text_input",
        "action_id": "value",
        "max_length": MAX_WEIGHT_CHARS,
        "placeholder": plain(f"{DEFAULT_LORA_WEIGHT:g}, or 0.8, 0.5 for two of them", 150),
        **({"initial_value": initial} if initial else {}),
    }


def read_lora_choices(chosen: Sequence[str], weights_text: str) -> str | dict[str, str] | None:
    """What `--lora` would be (None: nothing is chosen), or what is wrong, by block id."""
    if not chosen:
        return {LORA.name: "Choose what the weight is for, or leave the weight out."} if weights_text else None
    weights = _read_weights(weights_text, len(chosen))
    if weights is None:
        several = f", or one for each of the {len(chosen)} LoRAs, in their order: 0.8, 0.5" if len(chosen) > 1 else ""
        most = f"{MAX_LORA_WEIGHT:g}"
        return {LORA_WEIGHT: f"This takes a number from -{most} to {most}, such as 0.8{several}."}
    value = LORA.read("; ".join(f"{name}:{weight}" for name, weight in zip(chosen, weights, strict=True)))
    if value is None or value == NONE:
        return {LORA.name: f"Choose up to {MAX_LORAS} different ones, each once."}
    return value


def lora_options(listed: Sequence[Mapping[str, Any]], typed: str) -> Block:
    """The answer to the type-ahead. `listed`: name, newest version, model and trigger of those that are offered.

    Whoever types `mascot@1` is offered that version.
    """
    wanted = typed.strip().lower()
    match = VERSION.fullmatch(wanted)
    if match is not None:
        exact = [
            _option(f"{one['name']}@{int(match['version'])} · {one['model']}", f"{one['name']}@{int(match['version'])}")
            for one in listed
            if one["name"] == match["name"] and 1 <= int(match["version"]) <= one["version"]
        ]
        return {"options": exact}
    found = [one for one in listed if wanted in one["name"] or wanted in (one.get("trigger") or "").lower()]
    found.sort(key=lambda one: (not one["name"].startswith(wanted), one["name"]))
    return {"options": [_option(_label(one), one["name"]) for one in found[:MAX_OFFERED]]}


def _label(one: Mapping[str, Any]) -> str:
    trigger = f"say {one['trigger']}" if one.get("trigger") else ""
    return " · ".join(part for part in (one["name"], trigger, one["model"]) if part)


def _read_weights(text: str, count: int) -> list[str] | None:
    if not text:
        return [f"{DEFAULT_LORA_WEIGHT:g}"] * count
    pieces = [piece for piece in BETWEEN_WEIGHTS.split(text) if piece]
    # "0,8" is one number, "0.8,0.5" are two.
    weights = [part for piece in pieces for part in ([piece] if WEIGHT.fullmatch(piece) else piece.split(","))]
    if not all(WEIGHT.fullmatch(one) and abs(float(one.replace(",", "."))) <= MAX_LORA_WEIGHT for one in weights):
        return None
    if len(weights) == 1:
        return weights * count
    return weights if len(weights) == count else None


def _option(label: str, value: str) -> Block:
    return {"text": plain(label, 75), "value": value[:150]}
