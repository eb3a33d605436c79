"""The advanced options of a training: their inputs, and what is filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from backend_lambda.contract.limits import MAX_SEED
from backend_lambda.contract.training_limits import (
    MAX_LEARNING_RATE,
    MAX_RANK,
    MAX_RESOLUTION,
    MAX_TRAINING_STEPS,
    MIN_LEARNING_RATE,
    MIN_RANK,
    MIN_RESOLUTION,
    MIN_TRAINING_STEPS,
)
from commands.grammar.clean import clean
from commands.grammar.options import IntegerOption, Value
from commands.views.blocks import Block, plain
from commands.views.inputs import choice, given_text, labelled, one_of, text_input
from commands.views.training_ids import OPTION_INPUT

AS_PRESET = "as the preset says"
NUMBERS: Mapping[str, tuple[str, IntegerOption]] = {
    "rank": ("Rank", IntegerOption("rank", "How much it can learn: more makes a larger file", MIN_RANK, MAX_RANK)),
    "steps": (
        "Steps",
        IntegerOption(
            "steps", "More take longer and follow the pictures more closely", MIN_TRAINING_STEPS, MAX_TRAINING_STEPS
        ),
    ),
    "resolution": (
        "Resolution",
        IntegerOption(
            "resolution", "The longer side in pixels that pictures are scaled to", MIN_RESOLUTION, MAX_RESOLUTION
        ),
    ),
    "seed": ("Seed", IntegerOption("seed", "The same seed, pictures and settings give the same LoRA", 0, MAX_SEED)),
}
LEARNING_RATE = "learning_rate"
SWITCHES = {
    "prior_preservation": (
        "Prior preservation",
        "Trains on the model's own pictures of the same kind too, so that it forgets nothing. Takes twice as long.",
    ),
    "text_encoder": ("Text encoder", "Trains the part that reads prompts too."),
}
NAMES = ("rank", "steps", LEARNING_RATE, "resolution", "prior_preservation", "text_encoder", "seed")
SCIENTIFIC = re.compile(r"[0-9]{0,4}[.,]?[0-9]{1,12}(?:[eE]-?[0-9]{1,2})?")
ENTER = "Press Enter to see the estimate change."


def block_id(name: str) -> str:
    """The option's block."""
    return f"option-{name}"


OPTION_BLOCKS = frozenset(block_id(name) for name in NAMES)


def option_blocks(options: Mapping[str, Value]) -> list[Block]:
    """An input for each option, filled with what is named."""
    return [_option_block(name, options.get(name)) for name in NAMES]


def read_options(state: Mapping[str, Any]) -> tuple[dict[str, Value], dict[str, str]]:
    """What is named, and what is wrong by block id."""
    options: dict[str, Value] = {}
    errors: dict[str, str] = {}
    for name in NAMES:
        text = clean(given_text(state, block_id(name)))
        if not text:
            continue
        value, allowed = _read(name, text)
        if value is None:
            errors[block_id(name)] = f"This takes {allowed}."
        else:
            options[name] = value
    return options, errors


def is_shown(blocks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the inputs are among these blocks."""
    return any(block.get("block_id") in OPTION_BLOCKS for block in blocks)


def _option_block(name: str, value: Value | None) -> Block:
    if name in SWITCHES:
        label, hint = SWITCHES[name]
        initial = "" if value is None else "yes" if value else "no"
        options = [choice("Yes", "yes"), choice("No", "no")]
        element = one_of("static_select", options, initial, OPTION_INPUT, AS_PRESET)
        return labelled(block_id(name), label, element, hint, is_optional=True, is_told=True)
    if name == LEARNING_RATE:
        initial = f"{value:g}" if isinstance(value, int | float) else ""
        element = text_input(initial, f"{AS_PRESET}; such as 1e-4", 20, OPTION_INPUT)
        return labelled(block_id(name), "Learning rate", element, "How large each step is.", is_optional=True)
    label, option = NUMBERS[name]
    element = {
        "type": "number_input",
        "action_id": OPTION_INPUT,
        "is_decimal_allowed": False,
        "placeholder": plain("a new one" if name == "seed" else AS_PRESET, 150),
    }
    if value is not None:
        element["initial_value"] = option.write(value)
    is_told = name in {"steps", "resolution"}
    hint = f"{option.summary}." + (f" {ENTER}" if is_told else "")
    return labelled(block_id(name), label, element, hint, is_optional=True, is_told=is_told)


def _read(name: str, text: str) -> tuple[Value | None, str]:
    if name in SWITCHES:
        return {"yes": True, "no": False}.get(text), "yes or no"
    if name == LEARNING_RATE:
        allowed = f"a number from {MIN_LEARNING_RATE:g} to {MAX_LEARNING_RATE:g}, such as 1e-4"
        if not SCIENTIFIC.fullmatch(text):
            return None, allowed
        rate = float(text.replace(",", "."))
        return (rate if MIN_LEARNING_RATE <= rate <= MAX_LEARNING_RATE else None), allowed
    option = NUMBERS[name][1]
    return option.read(text), option.allowed
