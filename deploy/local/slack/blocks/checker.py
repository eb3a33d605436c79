"""Collects what is wrong with a block structure, each finding with its JSON pointer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FileLookup = Callable[[dict[str, Any]], bool]
"""Says whether a `slack_file` object names a picture that Slack could show now."""

MAX_ID = 255


def type_of(item: dict[str, Any]) -> str:
    """The type of a block or element; empty when it is missing or no text."""
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""


class BlockChecker:
    """Findings in Slack's words: `[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]`."""

    def __init__(self, surface: str, is_picture_ready: FileLookup) -> None:
        self.surface = surface
        self.is_picture_ready = is_picture_ready
        self.messages: list[str] = []
        self._block_ids: set[str] = set()

    def fault(self, pointer: str, sentence: str) -> None:
        """Note something wrong at a place."""
        self.messages.append(f"[ERROR] {sentence} [json-pointer:{pointer}]")

    def text_length(self, value: Any, pointer: str, most: int, least: int = 1) -> None:
        """A plain string of `least` to `most` characters."""
        if not isinstance(value, str):
            self.fault(pointer, "must be a string")
        elif len(value) > most:
            self.fault(pointer, f"must be less than {most + 1} characters")
        elif len(value) < least:
            self.fault(pointer, f"must be more than {least - 1} characters")

    def optional_text_length(self, parent: dict[str, Any], key: str, pointer: str, most: int) -> None:
        """A string under a key, if there is one."""
        if parent.get(key) is not None:
            self.text_length(parent[key], f"{pointer}/{key}", most, least=0)

    def text_object(self, parent: dict[str, Any], key: str, pointer: str, most: int, is_plain: bool = False) -> None:
        """A required text object under a key."""
        text = parent.get(key)
        where = f"{pointer}/{key}"
        if text is None:
            self.fault(pointer, f"missing required field: {key}")
        elif not isinstance(text, dict):
            self.fault(where, "must provide an object")
        elif type_of(text) not in ({"plain_text"} if is_plain else {"plain_text", "mrkdwn"}):
            self.fault(f"{where}/type", f"unsupported type: {type_of(text)}")
        else:
            self.text_length(text.get("text"), f"{where}/text", most)

    def optional_text_object(
        self, parent: dict[str, Any], key: str, pointer: str, most: int, is_plain: bool = False
    ) -> None:
        """A text object under a key, if there is one."""
        if parent.get(key) is not None:
            self.text_object(parent, key, pointer, most, is_plain)

    def items(self, parent: dict[str, Any], key: str, pointer: str, most: int, least: int = 1) -> list[dict[str, Any]]:
        """A required list of `least` to `most` objects; returns those that are objects."""
        items = parent.get(key)
        where = f"{pointer}/{key}"
        if items is None:
            self.fault(pointer, f"missing required field: {key}")
            return []
        if not isinstance(items, list):
            self.fault(where, "must be an array")
            return []
        if len(items) > most:
            self.fault(where, f"no more than {most} items allowed [{key}]")
        if len(items) < least:
            self.fault(where, f"no less than {least} items allowed [{key}]")
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                self.fault(f"{where}/{index}", "must provide an object")
        return [item if isinstance(item, dict) else {} for item in items[:most]]

    def block_id(self, block: dict[str, Any], pointer: str) -> None:
        """At most 255 characters, and unique in the message or view."""
        block_id = block.get("block_id")
        if block_id is None:
            return
        self.text_length(block_id, f"{pointer}/block_id", MAX_ID)
        if str(block_id) in self._block_ids:
            self.fault(f"{pointer}/block_id", f"`block_id` already exists: {block_id}")
        self._block_ids.add(str(block_id))

    def action_ids(self, elements: list[dict[str, Any]], pointer: str) -> None:
        """At most 255 characters each, and unique in their block."""
        seen: set[str] = set()
        for index, element in enumerate(elements):
            action_id = element.get("action_id")
            if action_id is None:
                continue
            self.text_length(action_id, f"{pointer}/{index}/action_id", MAX_ID)
            if str(action_id) in seen:
                self.fault(f"{pointer}/{index}/action_id", f"`action_id` already exists: {action_id}")
            seen.add(str(action_id))
