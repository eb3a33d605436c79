"""Judges messages and modals by Slack's limits, as the local workspace does."""

from __future__ import annotations

import json
from typing import Any

from commands.views.blocks import Message
from deploy.local.slack.blocks.surfaces import check_message_blocks, check_view

MESSAGE_TEXT_CHARS = 4_000
"""Slack takes 40,000 and advises to stay below 4,000."""


def check_message(view: Message) -> None:
    """Raises `AssertionError` with Slack's own words."""
    blocks = json.loads(json.dumps(view.to_json()))["blocks"]
    assert check_message_blocks(blocks, lambda file: True) == []
    assert view.blocks and 0 < len(view.text) <= MESSAGE_TEXT_CHARS
    for block in blocks:
        ids = [element["action_id"] for element in block.get("elements", []) if "action_id" in element]
        assert len(ids) == len(set(ids))
    assert len(json.dumps(blocks)) < 60_000


def check_modal(view: dict[str, Any]) -> None:
    """Raises `AssertionError` with Slack's own words."""
    assert check_view(json.loads(json.dumps(view)), lambda file: True) == []
    ids = [block["block_id"] for block in view["blocks"] if "block_id" in block]
    assert len(ids) == len(set(ids))
