"""Whole messages, modals and home tabs: how many blocks, and the fields around them."""

from __future__ import annotations

from typing import Any

from deploy.local.slack.blocks.checker import MAX_ID, BlockChecker, FileLookup, type_of
from deploy.local.slack.blocks.layout import check_block

MAX_MESSAGE_BLOCKS = 50
MAX_VIEW_BLOCKS = 100
MAX_VIEW_TEXT = 24
MAX_PRIVATE_METADATA = 3000


def check_message_blocks(blocks: list[Any], is_picture_ready: FileLookup) -> list[str]:
    """What is wrong with a message's blocks, in Slack's words; empty when nothing is."""
    check = BlockChecker("message", is_picture_ready)
    _check_blocks(check, blocks, "", MAX_MESSAGE_BLOCKS, least=0)
    return check.messages


def has_too_many_tables(blocks: list[Any]) -> bool:
    """Whether there is more than the one table that a message may have."""
    return sum(isinstance(block, dict) and type_of(block) == "table" for block in blocks) > 1


def check_view(view: dict[str, Any], is_picture_ready: FileLookup) -> list[str]:
    """What is wrong with a modal or home tab, in Slack's words; empty when nothing is."""
    kind = type_of(view)
    if kind not in {"modal", "home"}:
        return [f"[ERROR] unsupported type: {kind} [json-pointer:/view/type]"]
    check = BlockChecker(kind, is_picture_ready)
    if kind == "modal":
        check.text_object(view, "title", "/view", MAX_VIEW_TEXT, is_plain=True)
        check.optional_text_object(view, "submit", "/view", MAX_VIEW_TEXT, is_plain=True)
        check.optional_text_object(view, "close", "/view", MAX_VIEW_TEXT, is_plain=True)
    check.optional_text_length(view, "private_metadata", "/view", MAX_PRIVATE_METADATA)
    check.optional_text_length(view, "callback_id", "/view", MAX_ID)
    check.optional_text_length(view, "external_id", "/view", MAX_ID)
    blocks = view.get("blocks")
    if not isinstance(blocks, list):
        check.fault("/view", "missing required field: blocks")
        return check.messages
    _check_blocks(check, blocks, "/view", MAX_VIEW_BLOCKS, least=0)
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
    if kind == "modal" and has_input and not view.get("submit"):
        check.fault("/view", "missing required field: submit")
    return check.messages


def _check_blocks(check: BlockChecker, blocks: list[Any], pointer: str, most: int, least: int) -> None:
    for index, block in enumerate(check.items({"blocks": blocks}, "blocks", pointer, most, least)):
        check_block(check, block, f"{pointer}/blocks/{index}")
