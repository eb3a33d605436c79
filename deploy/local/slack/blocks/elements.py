"""The interactive elements of Block Kit and their limits."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from deploy.local.slack.blocks.checker import BlockChecker, type_of

SELECT_SOURCES = ("static", "external", "users", "conversations", "channels")
SELECTS = frozenset(f"{prefix}{source}_select" for prefix in ("", "multi_") for source in SELECT_SOURCES)
PICKERS = frozenset({"datepicker", "timepicker", "datetimepicker"})
CHOICES = frozenset({"checkboxes", "radio_buttons"})
IN_ACTIONS = (
    SELECTS | PICKERS | CHOICES | {"button", "overflow", "workflow_button", "plain_text_input", "rich_text_input"}
)
IN_SECTION = SELECTS | PICKERS | CHOICES | {"button", "overflow", "image", "workflow_button"}
IN_INPUT = (
    SELECTS
    | PICKERS
    | CHOICES
    | {"plain_text_input", "number_input", "email_text_input", "url_text_input", "file_input", "rich_text_input"}
)

MAX_OPTIONS = 100
MAX_CHOICES = 10
MAX_OVERFLOW = 5
MAX_FILES = 10


def check_element(
    check: BlockChecker, element: dict[str, Any], pointer: str, allowed: frozenset[str] | set[str]
) -> None:
    """Check one element that stands in a place where only `allowed` types may."""
    kind = type_of(element)
    if kind not in allowed:
        check.fault(f"{pointer}/type", f"unsupported type: {kind}")
        return
    if kind == "image":
        check_image_source(check, element, pointer)
        return
    if kind in {"button", "workflow_button"}:
        _check_button(check, element, pointer)
    elif kind == "overflow":
        check_options(check, element, pointer, MAX_OVERFLOW, least=1)
    elif kind in CHOICES:
        check_options(check, element, pointer, MAX_CHOICES, most_text=75)
    elif kind in SELECTS:
        _check_select(check, element, pointer)
    elif kind == "plain_text_input":
        _check_text_input(check, element, pointer)
    elif kind == "number_input":
        _check_number_input(check, element, pointer)
    elif kind == "file_input":
        _check_file_input(check, element, pointer)
    elif kind == "datepicker" and not re.fullmatch(
        r"\d{4}-\d{2}-\d{2}", str(element.get("initial_date", "2026-01-01"))
    ):
        check.fault(f"{pointer}/initial_date", "must be a date in the format YYYY-MM-DD")
    check.optional_text_object(element, "placeholder", pointer, 150, is_plain=True)
    if element.get("confirm") is not None:
        _check_confirm(check, element["confirm"], f"{pointer}/confirm")


def check_image_source(check: BlockChecker, image: dict[str, Any], pointer: str) -> None:
    """An `image_url` or a `slack_file` that Slack can show, and an alt text."""
    if "alt_text" not in image:
        check.fault(pointer, "missing required field: alt_text")
    else:
        check.text_length(image["alt_text"], f"{pointer}/alt_text", 2000, least=0)
    has_url, has_file = image.get("image_url") is not None, image.get("slack_file") is not None
    if has_url == has_file:
        check.fault(pointer, "must provide exactly one of image_url or slack_file")
    elif has_url:
        check.text_length(image["image_url"], f"{pointer}/image_url", 3000)
        if urlsplit(str(image["image_url"])).scheme not in {"http", "https"}:
            check.fault(f"{pointer}/image_url", "invalid image url")
    elif not isinstance(image["slack_file"], dict) or not check.is_picture_ready(image["slack_file"]):
        check.fault(f"{pointer}/slack_file", "invalid slack file")


def check_options(
    check: BlockChecker,
    element: dict[str, Any],
    pointer: str,
    most: int,
    least: int = 1,
    key: str = "options",
    most_text: int = 75,
) -> None:
    """A list of options: text up to 75 characters, value up to 150, description up to 75."""
    for index, option in enumerate(check.items(element, key, pointer, most, least)):
        where = f"{pointer}/{key}/{index}"
        check.text_object(option, "text", where, most_text)
        if "value" not in option and "url" not in option:
            check.fault(where, "missing required field: value")
        check.optional_text_length(option, "value", where, 150)
        check.optional_text_object(option, "description", where, 75)


def _check_button(check: BlockChecker, button: dict[str, Any], pointer: str) -> None:
    check.text_object(button, "text", pointer, 75, is_plain=True)
    check.optional_text_length(button, "value", pointer, 2000)
    check.optional_text_length(button, "url", pointer, 3000)
    check.optional_text_length(button, "accessibility_label", pointer, 75)
    if button.get("style") not in (None, "primary", "danger"):
        check.fault(f"{pointer}/style", "must be one of: primary, danger")


def _check_select(check: BlockChecker, select: dict[str, Any], pointer: str) -> None:
    if select["type"] in {"static_select", "multi_static_select"}:
        if ("options" in select) == ("option_groups" in select):
            check.fault(pointer, "must provide exactly one of options or option_groups")
        elif "options" in select:
            check_options(check, select, pointer, MAX_OPTIONS)
        else:
            for index, group in enumerate(check.items(select, "option_groups", pointer, MAX_OPTIONS)):
                check.text_object(group, "label", f"{pointer}/option_groups/{index}", 75, is_plain=True)
                check_options(check, group, f"{pointer}/option_groups/{index}", MAX_OPTIONS)
        _check_initial(check, select, pointer)
    most = select.get("max_selected_items")
    if most is not None and (not isinstance(most, int) or most < 1):
        check.fault(f"{pointer}/max_selected_items", "must be more than 0")


def _check_initial(check: BlockChecker, select: dict[str, Any], pointer: str) -> None:
    given = select.get("option_groups")
    groups = given if isinstance(given, list) else [select]
    lists = [group.get("options") for group in groups if isinstance(group, dict)]
    known = [option for options in lists if isinstance(options, list) for option in options]
    values = [option.get("value") for option in known if isinstance(option, dict)]
    initial = select.get("initial_option")
    if isinstance(initial, dict) and initial.get("value") not in values:
        check.fault(f"{pointer}/initial_option", "must be one of the provided options")
    many = select.get("initial_options")
    for index, option in enumerate(many if isinstance(many, list) else []):
        if isinstance(option, dict) and option.get("value") not in values:
            check.fault(f"{pointer}/initial_options/{index}", "must be one of the provided options")


def _check_text_input(check: BlockChecker, element: dict[str, Any], pointer: str) -> None:
    check.optional_text_length(element, "initial_value", pointer, 3000)
    for key in ("min_length", "max_length"):
        if element.get(key) is not None and not (isinstance(element[key], int) and 0 <= element[key] <= 3000):
            check.fault(f"{pointer}/{key}", "must be between 0 and 3000")


def _check_number_input(check: BlockChecker, element: dict[str, Any], pointer: str) -> None:
    if not isinstance(element.get("is_decimal_allowed"), bool):
        check.fault(pointer, "missing required field: is_decimal_allowed")
    for key in ("initial_value", "min_value", "max_value"):
        value = element.get(key)
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value)):
            check.fault(f"{pointer}/{key}", "must be a number in a string")


def _check_file_input(check: BlockChecker, element: dict[str, Any], pointer: str) -> None:
    if check.surface != "modal":
        check.fault(f"{pointer}/type", "unsupported type: file_input")
    most = element.get("max_files")
    if most is not None and not (isinstance(most, int) and 1 <= most <= MAX_FILES):
        check.fault(f"{pointer}/max_files", f"must be between 1 and {MAX_FILES}")
    types = element.get("filetypes")
    if types is not None and not (isinstance(types, list) and types and all(isinstance(each, str) for each in types)):
        check.fault(f"{pointer}/filetypes", "must be a list of file extensions")


def _check_confirm(check: BlockChecker, confirm: Any, pointer: str) -> None:
    if not isinstance(confirm, dict):
        check.fault(pointer, "must provide an object")
        return
    check.text_object(confirm, "title", pointer, 100, is_plain=True)
    check.text_object(confirm, "text", pointer, 300)
    check.text_object(confirm, "confirm", pointer, 30, is_plain=True)
    check.text_object(confirm, "deny", pointer, 30, is_plain=True)
