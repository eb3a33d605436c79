"""The layout blocks of Block Kit and their limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deploy.local.slack.blocks.checker import BlockChecker, type_of
from deploy.local.slack.blocks.elements import IN_ACTIONS, IN_INPUT, IN_SECTION, check_element, check_image_source

MAX_SECTION_TEXT = 3000
MAX_HEADER = 150
MAX_ACTIONS = 25
MAX_CONTEXT = 10
MAX_FIELDS = 10
MAX_TABLE_ROWS = 100
MAX_TABLE_COLUMNS = 20
MAX_MARKDOWN = 12_000

# Slack accepts these; their inside isn't checked here, and the page says that it can't show them.
UNCHECKED = frozenset(
    {
        "video",
        "file",
        "call",
        "context_actions",
        "task_card",
        "plan",
        "card",
        "carousel",
        "data_table",
        "data_visualization",
    }
)


def check_block(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    """Check one block."""
    kind = type_of(block)
    check.block_id(block, pointer)
    if kind in CHECKS:
        CHECKS[kind](check, block, pointer)
    elif kind == "alert" and check.surface == "modal":
        return
    elif kind not in UNCHECKED:
        check.fault(f"{pointer}/type", f"unsupported type: {kind}")


def _check_section(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    if block.get("text") is None and block.get("fields") is None:
        check.fault(pointer, "missing required field: text")
    check.optional_text_object(block, "text", pointer, MAX_SECTION_TEXT)
    if block.get("fields") is not None:
        for index, field in enumerate(check.items(block, "fields", pointer, MAX_FIELDS)):
            check.text_object({"field": field}, "field", f"{pointer}/fields/{index}", 2000)
    if block.get("accessory") is not None:
        if isinstance(block["accessory"], dict):
            check_element(check, block["accessory"], f"{pointer}/accessory", IN_SECTION)
        else:
            check.fault(f"{pointer}/accessory", "must provide an object")


def _check_header(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    check.text_object(block, "text", pointer, MAX_HEADER, is_plain=True)


def _check_image(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    check_image_source(check, block, pointer)
    check.optional_text_object(block, "title", pointer, 2000, is_plain=True)


def _check_actions(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    elements = check.items(block, "elements", pointer, MAX_ACTIONS)
    check.action_ids(elements, f"{pointer}/elements")
    for index, element in enumerate(elements):
        check_element(check, element, f"{pointer}/elements/{index}", IN_ACTIONS)


def _check_context(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    for index, element in enumerate(check.items(block, "elements", pointer, MAX_CONTEXT)):
        where = f"{pointer}/elements/{index}"
        if type_of(element) == "image":
            check_image_source(check, element, where)
        elif type_of(element) in {"mrkdwn", "plain_text"}:
            check.text_length(element.get("text"), f"{where}/text", 2000)
        else:
            check.fault(f"{where}/type", f"unsupported type: {type_of(element)}")


def _check_input(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    check.text_object(block, "label", pointer, 2000, is_plain=True)
    check.optional_text_object(block, "hint", pointer, 2000, is_plain=True)
    element = block.get("element")
    if not isinstance(element, dict):
        check.fault(pointer, "missing required field: element")
        return
    check.action_ids([element], f"{pointer}/element")
    check_element(check, element, f"{pointer}/element", IN_INPUT)


def _check_rich_text(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    for index, element in enumerate(check.items(block, "elements", pointer, most=1000)):
        kind = type_of(element)
        if kind not in {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}:
            check.fault(f"{pointer}/elements/{index}/type", f"unsupported type: {kind}")


def _check_table(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    if check.surface != "message":
        check.fault(f"{pointer}/type", "unsupported type: table")
        return
    rows = block.get("rows")
    if not isinstance(rows, list) or not rows:
        check.fault(pointer, "missing required field: rows")
        return
    if len(rows) > MAX_TABLE_ROWS:
        check.fault(f"{pointer}/rows", f"no more than {MAX_TABLE_ROWS} items allowed [rows]")
    for row_index, row in enumerate(rows[:MAX_TABLE_ROWS]):
        where = f"{pointer}/rows/{row_index}"
        if not isinstance(row, list) or not row:
            check.fault(where, "must be an array")
            continue
        if len(row) > MAX_TABLE_COLUMNS:
            check.fault(where, f"no more than {MAX_TABLE_COLUMNS} items allowed")
        for index, cell in enumerate(row[:MAX_TABLE_COLUMNS]):
            if not isinstance(cell, dict) or type_of(cell) not in {"raw_text", "raw_number", "rich_text"}:
                check.fault(f"{where}/{index}/type", "unsupported type")


def _check_markdown(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    check.text_length(block.get("text"), f"{pointer}/text", MAX_MARKDOWN)


def _check_divider(check: BlockChecker, block: dict[str, Any], pointer: str) -> None:
    """A divider has nothing to check."""


CHECKS: dict[str, Callable[[BlockChecker, dict[str, Any], str], None]] = {
    "section": _check_section,
    "header": _check_header,
    "image": _check_image,
    "actions": _check_actions,
    "context": _check_context,
    "divider": _check_divider,
    "input": _check_input,
    "rich_text": _check_rich_text,
    "table": _check_table,
    "markdown": _check_markdown,
}
