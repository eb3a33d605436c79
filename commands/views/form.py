"""The form behind `/imagine` alone and behind Edit: the same options as on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from backend_lambda.contract.limits import MAX_PICTURES, MAX_PROMPT_CHARS
from commands.grammar.clean import clean
from commands.grammar.options import Option, Value
from commands.imagine import ASPECT, GUIDANCE, LORA, MODEL, NEGATIVE, OPTIONS, PICTURES, SEED, STEPS
from commands.order import PaintOrder
from commands.views.action_ids import IMAGINE_FORM, MODEL_SELECT
from commands.views.blocks import Block, plain
from commands.views.form_loras import (
    LORA_WEIGHT,
    lora_select,
    read_lora_choices,
    weight_input,
)

PROMPT = "prompt"
VALUE = "value"
ASPECTS = ("1:1", "3:2", "2:3", "4:3", "3:4", "16:9", "9:16")
MAX_SELECT_OPTIONS = 100


@dataclass(frozen=True)
class FormOrigin:
    """Where the form was opened, carried in its private metadata. `team` is the workspace's id."""

    channel: str
    thread_ts: str | None = None
    response_url: str | None = None
    team: str = ""

    def to_metadata(self) -> str:
        """At most 3,000 characters."""
        return json.dumps(asdict(self))

    @classmethod
    def from_metadata(cls, metadata: str) -> FormOrigin:
        """Read what `to_metadata` wrote; raises `KeyError` or `ValueError` for anything else."""
        document = json.loads(metadata)
        return cls(
            document["channel"], document.get("thread_ts"), document.get("response_url"), document.get("team") or ""
        )


def imagine_form(origin: FormOrigin, order: PaintOrder | None, default_model: str) -> Block:
    """The modal, filled with what `order` names."""
    values = order.values() if order is not None else {}
    prompt = order.prompt if order is not None else ""
    loras = order.chosen_loras if order is not None else ()
    return {
        "type": "modal",
        "callback_id": IMAGINE_FORM,
        "title": plain("Imagine", 24),
        "submit": plain("Paint", 24),
        "close": plain("Cancel", 24),
        "private_metadata": origin.to_metadata(),
        "blocks": [
            _input(PROMPT, "What shall Easel paint?", _text_input(prompt, "a red boat on a blue background"), None),
            _option_input(
                NEGATIVE, "Leave out", _text_input(str(values.get("no", "")), "bubbles, plants", is_multiline=False)
            ),
            _option_input(ASPECT, "Format", _aspect_select(str(values.get("ar", "")))),
            _option_input(PICTURES, "Pictures", _count_select(values.get("n"))),
            _option_input(MODEL, "Model", _model_select(str(values.get("model", default_model)))),
            _option_input(SEED, "Seed", _number_input(SEED, values.get("seed"))),
            _option_input(STEPS, "Steps", _number_input(STEPS, values.get("steps"))),
            _option_input(GUIDANCE, "Guidance", _number_input(GUIDANCE, values.get("cfg"), is_decimal=True)),
            _option_input(LORA, "LoRAs", lora_select(loras)),
            _input(
                LORA_WEIGHT, "Weight of the LoRAs", weight_input(loras), "One for all, or one each.", is_optional=True
            ),
        ],
    }


def read_form(state: Mapping[str, Any]) -> PaintOrder | dict[str, str]:
    """The order that a submitted form (`view.state.values`) means, or an error for each wrong block, by block id."""
    errors: dict[str, str] = {}
    prompt = clean(given_text(state, PROMPT))
    if not prompt:
        errors[PROMPT] = "Say what Easel shall paint."
    elif len(prompt) > MAX_PROMPT_CHARS:
        errors[PROMPT] = f"This has {len(prompt):,} characters. At most {MAX_PROMPT_CHARS:,} are allowed."
    values: dict[str, Value] = {}
    for option in OPTIONS:
        if option is LORA:
            continue
        text = clean(given_text(state, option.name))
        if not text:
            continue
        value = option.read(text)
        if value is None:
            errors[option.name] = f"This takes {option.allowed}."
        elif isinstance(value, str) and len(value) > MAX_PROMPT_CHARS:
            errors[option.name] = f"This has {len(value):,} characters. At most {MAX_PROMPT_CHARS:,} are allowed."
        else:
            values[option.name] = value
    chosen = read_lora_choices(_chosen(state, LORA.name), clean(given_text(state, LORA_WEIGHT)))
    if isinstance(chosen, dict):
        errors |= chosen
    elif chosen is not None:
        values[LORA.name] = chosen
    return errors or PaintOrder.from_values(prompt, values)


def model_options(models: Sequence[tuple[str, str]], typed: str) -> Block:
    """The answer to the model select's type-ahead: (name, title) of the models that match what was typed."""
    wanted = typed.strip().lower()
    matching = [(name, title) for name, title in models if wanted in name.lower() or wanted in title.lower()]
    return {"options": [_choice(_model_label(name, title), name) for name, title in matching[:MAX_SELECT_OPTIONS]]}


def _model_label(name: str, title: str) -> str:
    return name if not title or title == name else f"{title} ({name})"


def given_text(state: Mapping[str, Any], block_id: str) -> str:
    """What is filled in, as text; empty where nothing is, or where the state has another shape."""
    block = state.get(block_id)
    if not isinstance(block, Mapping):
        return ""
    for element in block.values():
        if isinstance(element, Mapping):
            chosen = element.get("selected_option")
            value = chosen.get("value") if isinstance(chosen, Mapping) else element.get("value")
            return value if isinstance(value, str) else ""
    return ""


def _chosen(state: Mapping[str, Any], block_id: str) -> list[str]:
    """What is chosen in a select that takes several; empty where the state has another shape."""
    block = state.get(block_id)
    elements = block.values() if isinstance(block, Mapping) else ()
    chosen = [element.get("selected_options") for element in elements if isinstance(element, Mapping)]
    options = next((found for found in chosen if isinstance(found, list)), [])
    return [str(option.get("value")) for option in options if isinstance(option, Mapping)]


def _input(block_id: str, label: str, element: Block, hint: str | None, is_optional: bool = False) -> Block:
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, 2000),
        "element": element,
        "optional": is_optional,
    }
    if hint:
        block["hint"] = plain(hint, 2000)
    return block


def _option_input(option: Option, label: str, element: Block) -> Block:
    return _input(option.name, label, element, f"{option.summary}.", is_optional=True)


def _text_input(initial: str, placeholder: str, is_multiline: bool = True) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": VALUE,
        "multiline": is_multiline,
        "max_length": MAX_PROMPT_CHARS,
        "placeholder": plain(placeholder, 150),
    }
    if initial:
        element["initial_value"] = initial[:MAX_PROMPT_CHARS]
    return element


def _number_input(option: Option, initial: Value | None, is_decimal: bool = False) -> Block:
    element: Block = {
        "type": "number_input",
        "action_id": VALUE,
        "is_decimal_allowed": is_decimal,
        "placeholder": plain("as the model likes it" if option is not SEED else "a new one each time", 150),
    }
    if initial is not None:
        element["initial_value"] = option.write(initial)
    return element


def _aspect_select(initial: str) -> Block:
    ratios = ASPECTS if not initial or initial in ASPECTS else (*ASPECTS, initial)
    return _select([(ratio, ratio) for ratio in ratios], initial, "as the model likes it")


def _count_select(initial: Value | None) -> Block:
    counts = [str(number) for number in range(1, MAX_PICTURES + 1)]
    return _select([(count, count) for count in counts], str(initial or "1"), "1")


def _select(choices: Sequence[tuple[str, str]], initial: str, placeholder: str) -> Block:
    element: Block = {
        "type": "static_select",
        "action_id": VALUE,
        "placeholder": plain(placeholder, 150),
        "options": [_choice(label, value) for label, value in choices],
    }
    if initial in {value for _, value in choices}:
        element["initial_option"] = next(_choice(label, value) for label, value in choices if value == initial)
    return element


def _model_select(initial: str) -> Block:
    return {
        "type": "external_select",
        "action_id": MODEL_SELECT,
        "min_query_length": 0,
        "placeholder": plain("the workspace's default", 150),
        **({"initial_option": _choice(initial, initial)} if initial else {}),
    }


def _choice(label: str, value: str) -> Block:
    return {"text": plain(label, 75), "value": value[:150]}
