"""What a member chose or typed in a Block Kit element, in the shape that Slack sends it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deploy.local.slack.entities import Json
from deploy.local.slack.workspace import Workspace

REQUIRED = "Please complete this required field."
TEXT_INPUTS = {"plain_text_input", "number_input", "email_text_input", "url_text_input"}
ONE_OPTION = {"static_select", "external_select", "radio_buttons", "overflow"}
MANY_OPTIONS = {"multi_static_select", "multi_external_select", "checkboxes"}
ONE_NAMED = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
MANY_NAMED = {
    "multi_users_select": "selected_users",
    "multi_conversations_select": "selected_conversations",
    "multi_channels_select": "selected_channels",
}
MAX_TEXT = 3000
MAX_INPUT_FILE_BYTES = 10 * 1024 * 1024
"""Of one file in a form; https://docs.slack.dev/reference/block-kit/block-elements/file-input-element"""


class InputError(ValueError):
    """A script asked for something that the form doesn't offer; the text says what it offers."""


def stateful_elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every (block, element) that has an action id, inputs and buttons alike."""
    for block in blocks:
        candidates = [block.get("element"), block.get("accessory")]
        if block.get("type") == "actions":
            candidates += block.get("elements", [])
        for element in candidates:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def read_input(workspace: Workspace, element: Json, given: Any) -> Json:
    """The state entry for what was given: a text, an option's value or text (or the option), a list of them, file ids.

    Raises `InputError` when the element has no such option.
    """
    kind = element["type"]
    if kind in TEXT_INPUTS or kind == "rich_text_input":
        return {
            "type": kind,
            "value": None if given in (None, "") else given if isinstance(given, dict) else str(given),
        }
    if kind in ONE_OPTION:
        return {"type": kind, "selected_option": None if given in (None, "") else _option(element, given)}
    if kind in MANY_OPTIONS:
        chosen = given if isinstance(given, list) else [given] if given else []
        return {"type": kind, "selected_options": [_option(element, item) for item in chosen]}
    if kind in ONE_NAMED:
        return {"type": kind, ONE_NAMED[kind]: given or None}
    if kind in MANY_NAMED:
        return {"type": kind, MANY_NAMED[kind]: list(given or [])}
    if kind == "file_input":
        files = []
        for file_id in given or []:
            if file_id not in workspace.files:
                raise InputError(f"there is no file {file_id}")
            files.append(workspace.file_json(workspace.files[file_id]))
        return {"type": kind, "files": files}
    return {"type": kind}


def initial_input(workspace: Workspace, element: Json) -> Json:
    """The state entry before anybody touched the element."""
    for key in (
        "initial_value",
        "initial_option",
        "initial_options",
        "initial_user",
        "initial_users",
        "initial_date",
        "initial_time",
        "initial_date_time",
        "initial_conversation",
        "initial_conversations",
        "initial_channel",
        "initial_channels",
    ):
        if element.get(key) is not None:
            return read_input(workspace, element, element[key])
    return read_input(workspace, element, None)


def view_state(workspace: Workspace, blocks: list[Json], known: Json, values: Json) -> Json:
    """All the state of a form: what was just given, else what was known, else what it started with.

    `values` is `{block_id: {action_id: given}}`. Raises `InputError`.
    """
    state: Json = {}
    for block, element in stateful_elements(blocks):
        if element["type"] in {"button", "overflow", "workflow_button"}:
            continue
        block_id, action_id = block["block_id"], element["action_id"]
        if action_id in values.get(block_id, {}):
            entry = read_input(workspace, element, values[block_id][action_id])
        elif known.get(block_id, {}).get(action_id, {}).get("type") == element["type"]:
            entry = known[block_id][action_id]
        else:
            entry = initial_input(workspace, element)
        state.setdefault(block_id, {})[action_id] = entry
    return state


def form_errors(blocks: list[Json], state: Json) -> dict[str, str]:
    """What Slack's client itself refuses before it sends a form: `{block_id: sentence}`."""
    errors: dict[str, str] = {}
    for block in blocks:
        if block.get("type") != "input":
            continue
        element = block["element"]
        entry = state.get(block["block_id"], {}).get(element["action_id"], {})
        value = next((value for key, value in entry.items() if key != "type"), None)
        if value in (None, "", []):
            if not block.get("optional"):
                errors[block["block_id"]] = REQUIRED
            continue
        problem = _problem(element, value)
        if problem:
            errors[block["block_id"]] = problem
    return errors


def _problem(element: Json, value: Any) -> str | None:
    kind = element["type"]
    if kind == "plain_text_input":
        least, most = element.get("min_length") or 0, element.get("max_length") or MAX_TEXT
        if len(value) < least:
            return f"Please enter at least {least} characters."
        if len(value) > most:
            return f"Please enter at most {most} characters."
    if kind == "number_input":
        pattern = r"-?\d+(\.\d+)?" if element.get("is_decimal_allowed") else r"-?\d+"
        if not re.fullmatch(pattern, str(value)):
            return "Please enter a number." if element.get("is_decimal_allowed") else "Please enter a whole number."
        if element.get("min_value") is not None and float(value) < float(element["min_value"]):
            return f"Please enter a number greater than or equal to {element['min_value']}."
        if element.get("max_value") is not None and float(value) > float(element["max_value"]):
            return f"Please enter a number less than or equal to {element['max_value']}."
    if kind == "email_text_input" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        return "Please enter a valid email address."
    if kind == "url_text_input" and not re.fullmatch(r"https?://\S+", value):
        return "Please enter a valid URL."
    if kind == "file_input":
        return _files_problem(element, value)
    if isinstance(value, list) and element.get("max_selected_items") and len(value) > element["max_selected_items"]:
        return f"Please choose at most {element['max_selected_items']}."
    return None


def _files_problem(element: Json, files: list[Json]) -> str | None:
    most = element.get("max_files", 10)
    if len(files) > most:
        return f"Please add at most {most} files."
    types = [str(each).lower().removeprefix(".") for each in element.get("filetypes") or []]
    for file in files:
        if types and file["name"].rpartition(".")[2].lower() not in types:
            return f"{file['name']} is not one of these types: {', '.join(types)}."
        if file["size"] > MAX_INPUT_FILE_BYTES:
            return f"{file['name']} is larger than 10 MB."
    return None


def _option(element: Json, given: Any) -> Json:
    options = list(element.get("options") or [])
    for group in element.get("option_groups") or []:
        options += group.get("options") or []
    wanted = given.get("value") if isinstance(given, dict) else given
    for option in options:
        if wanted in {option.get("value"), option["text"]["text"]}:
            return option
    if "external" in element["type"] and isinstance(given, dict):
        return given
    offered = ", ".join(option["text"]["text"] for option in options) or "nothing: take one of its suggestions"
    raise InputError(f"{wanted!r} is not offered; offered: {offered}")
