"""Inputs of forms, and how what is filled in is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from commands.views.blocks import Block, plain

VALUE = "value"


def labelled(
    block_id: str, label: str, element: Block, hint: str = "", is_optional: bool = False, is_told: bool = False
) -> Block:
    """An input block; with `is_told` the app hears of every change of it."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, 2000),
        "element": element,
        "optional": is_optional,
    }
    if hint:
        block["hint"] = plain(hint, 2000)
    if is_told:
        block["dispatch_action"] = True
    return block


def text_input(initial: str, placeholder: str, most: int, action_id: str = VALUE, is_multiline: bool = False) -> Block:
    """A text of at most `most` characters."""
    element: Block = {
        "type": "plain_text_input",
        "action_id": action_id,
        "multiline": is_multiline,
        "max_length": most,
        "placeholder": plain(placeholder, 150),
    }
    if initial:
        element["initial_value"] = initial[:most]
    return element


def choice(label: str, value: str, description: str = "") -> Block:
    """One option of a select or of radio buttons."""
    option: Block = {"text": plain(label, 75), "value": value[:150]}
    if description:
        option["description"] = plain(description, 75)
    return option


def one_of(kind: str, options: Sequence[Block], initial: str, action_id: str = VALUE, placeholder: str = "") -> Block:
    """A `static_select` or `radio_buttons`, on `initial` where that is one of the options."""
    element: Block = {"type": kind, "action_id": action_id, "options": list(options)}
    if placeholder:
        element["placeholder"] = plain(placeholder, 150)
    chosen = next((option for option in options if option["value"] == initial), None)
    if chosen is not None:
        element["initial_option"] = chosen
    return element


def given_text(state: Mapping[str, Any], block_id: str) -> str:
    """The text or the chosen option's value; empty where there is none, or the state has another shape."""
    for element in _elements(state, block_id):
        chosen = element.get("selected_option")
        value = chosen.get("value") if isinstance(chosen, Mapping) else element.get("value")
        return value if isinstance(value, str) else ""
    return ""


def given_list(state: Mapping[str, Any], block_id: str) -> list[str]:
    """The values of all chosen options."""
    return [
        str(option["value"])
        for element in _elements(state, block_id)
        for option in element.get("selected_options") or []
        if isinstance(option, Mapping) and "value" in option
    ]


def given_files(state: Mapping[str, Any], block_id: str) -> list[dict[str, Any]]:
    """The file objects of a file input."""
    return [
        dict(file)
        for element in _elements(state, block_id)
        for file in element.get("files") or []
        if isinstance(file, Mapping) and isinstance(file.get("id"), str)
    ]


def _elements(state: Mapping[str, Any], block_id: str) -> Iterable[Mapping[str, Any]]:
    block = state.get(block_id)
    values = block.values() if isinstance(block, Mapping) else ()
    return (element for element in values if isinstance(element, Mapping))
