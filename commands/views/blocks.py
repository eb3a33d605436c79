"""The few kinds of blocks that Easel's messages are made of, each within Slack's limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from commands.grammar.clean import escape, shorten

Block = dict[str, Any]

SECTION_CHARS = 3_000
CONTEXT_CHARS = 2_000
BUTTON_CHARS = 75
VALUE_CHARS = 2_000
ALT_CHARS = 2_000
TEXT_CHARS = 3_000
PROMPT_CHARS = 600
"""How much of a prompt a message shows; all of it is in the PNG and in the form behind Edit."""


@dataclass(frozen=True)
class Message:
    """What a message shows: `text` for notifications and screen readers, `blocks` for the eye."""

    text: str
    blocks: tuple[Block, ...]

    @property
    def has_pictures(self) -> bool:
        """Whether it shows any."""
        return any(block["type"] == "image" for block in self.blocks)

    def without_pictures(self) -> Message:
        """The same in words alone."""
        return Message(self.text, tuple(block for block in self.blocks if block["type"] != "image"))

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"text": self.text, "blocks": list(self.blocks)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Message:
        """Read what `to_json` wrote."""
        return cls(document["text"], tuple(document["blocks"]))


def message(text: str, blocks: Sequence[Block | None]) -> Message:
    """A message of the blocks that are there; `text` is shortened."""
    return Message(shorten(text, TEXT_CHARS), tuple(block for block in blocks if block is not None))


def plain(text: str, limit: int) -> Block:
    """A plain text object; Slack refuses empty ones."""
    return {"type": "plain_text", "text": shorten(text, limit) or " ", "emoji": True}


def section(mrkdwn: str) -> Block:
    """A paragraph; `mrkdwn` is escaped already."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": shorten_mrkdwn(mrkdwn, SECTION_CHARS) or " "}}


def prompt_section(prompt: str) -> Block:
    """The prompt as plain text: nothing that someone writes in it is read as formatting, a mention or a link."""
    return {"type": "section", "text": plain(prompt, PROMPT_CHARS)}


def context(*texts: str) -> Block | None:
    """Small print; at most ten texts, empty ones left out. None where nothing is left."""
    elements = [{"type": "mrkdwn", "text": shorten_mrkdwn(text, CONTEXT_CHARS)} for text in texts if text][:10]
    return {"type": "context", "elements": elements} if elements else None


def picture(file_id: str, alt_text: str) -> Block:
    """An uploaded file as a picture."""
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": shorten(alt_text, ALT_CHARS)}


def button(label: str, action_id: str, value: str, style: str | None = None, confirm: Block | None = None) -> Block:
    """A button; `value` comes back when it is pressed."""
    block: Block = {
        "type": "button",
        "text": plain(label, BUTTON_CHARS),
        "action_id": action_id,
        "value": value[:VALUE_CHARS],
    }
    if style is not None:
        block["style"] = style
    if confirm is not None:
        block["confirm"] = confirm
    return block


def confirm_dialog(title: str, question: str, yes: str, no: str, style: str = "danger") -> Block:
    """Asked before a button counts."""
    return {
        "title": plain(title, 100),
        "text": plain(question, 300),
        "confirm": plain(yes, 30),
        "deny": plain(no, 30),
        "style": style,
    }


def actions(buttons: Sequence[Block], block_id: str | None = None) -> Block | None:
    """A row of at most 25 buttons. None where there are none. `block_id` comes back with the one that is pressed."""
    row: Block = {"type": "actions", "elements": list(buttons)[:25]}
    return (row | ({"block_id": block_id} if block_id else {})) if buttons else None


def shorten_mrkdwn(text: str, limit: int) -> str:
    """Like `shorten`, never cutting an escape such as `&amp;` or a `<…>` in two."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    for opening, closing in (("&", ";"), ("<", ">")):
        at = cut.rfind(opening)
        if at >= 0 and closing not in cut[at:]:
            cut = cut[:at]
    return cut.rstrip() + "…"


def quoted(prompt: str, limit: int = 150) -> str:
    """A prompt inside a sentence: shortened and escaped."""
    return escape(shorten(prompt, limit))
