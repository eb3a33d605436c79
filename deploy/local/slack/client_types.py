"""What the client of the local workspace answers with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

DEFAULT_WAIT_SECONDS = 10.0


class WorkspaceRefused(Exception):
    """The workspace refused what a script asked; `code` is Slack's (or the control API's) word for it."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code


class WaitTimeout(AssertionError):
    """What a script waited for did not happen in time."""


@dataclass(frozen=True)
class Block:
    """An element that takes a value: its block id, action id, label and type."""

    block_id: str
    action_id: str
    label: str
    type: str


class _WithBlocks:
    """Finds elements in blocks."""

    blocks: list[dict[str, Any]]

    def inputs(self) -> list[Block]:
        """Every element with an action id, in order."""
        return list(_elements(self.blocks))

    def find_input(self, name: str) -> Block:
        """The element with this block id, label or action id; raises `KeyError` naming what there is."""
        found = self.inputs()
        for match in ("block_id", "label", "action_id"):
            for block in found:
                if getattr(block, match) == name:
                    return block
        raise KeyError(f"{name!r}; there are {[block.label or block.action_id for block in found]}")

    @property
    def buttons(self) -> list[str]:
        """The texts of all buttons, in order."""
        return [block.label for block in self.inputs() if block.type == "button"]

    @property
    def block_texts(self) -> list[str]:
        """Every text in the blocks, in order."""
        return list(_texts(self.blocks))


@dataclass(frozen=True)
class Message(_WithBlocks):
    """A message as a member sees it. Monotonic times are of the machine's one monotonic clock, in seconds."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[dict[str, Any]]
    files: list[dict[str, Any]]
    thread_ts: str | None
    is_ephemeral: bool
    is_from_app: bool
    posted_monotonic: float
    changed_monotonic: float
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Message:
        """From the control API's JSON."""
        posted = float(entry.get("posted_monotonic", 0.0))
        return cls(
            channel=str(entry.get("channel", "")),
            ts=entry["ts"],
            user=entry.get("user", ""),
            text=entry.get("text", ""),
            blocks=entry.get("blocks", []),
            files=entry.get("files", []),
            thread_ts=entry.get("thread_ts"),
            is_ephemeral=bool(entry.get("is_ephemeral")),
            is_from_app="bot_id" in entry,
            posted_monotonic=posted,
            changed_monotonic=float(entry.get("changed_monotonic", posted)),
            raw=entry,
        )

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The message's metadata (`event_type`, `event_payload`), if the app gave any."""
        return self.raw.get("metadata")

    @property
    def reply_count(self) -> int:
        """How many replies the thread under it has."""
        return int(self.raw.get("reply_count", 0))

    @property
    def pictures(self) -> list[dict[str, Any]]:
        """The `slack_file` and `image_url` image blocks, and the shared files that are pictures."""
        shown = [block for block in self.blocks if block.get("type") == "image"]
        return shown + [file for file in self.files if str(file.get("mimetype", "")).startswith("image/")]

    def says(self, text: str) -> bool:
        """Whether its text or any text in its blocks contains this."""
        return any(text in part for part in (self.text, *self.block_texts))


@dataclass(frozen=True)
class View(_WithBlocks):
    """A modal or home tab as a member sees it."""

    id: str
    title: str
    callback_id: str
    hash: str
    blocks: list[dict[str, Any]]
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, entry: dict[str, Any]) -> View:
        """From the control API's JSON."""
        return cls(entry["id"], entry["title"]["text"], entry["callback_id"], entry["hash"], entry["blocks"], entry)

    def says(self, text: str) -> bool:
        """Whether any text in it contains this."""
        return any(text in part for part in self.block_texts)


@dataclass(frozen=True)
class Outcome:
    """What became of a press, a shortcut or a form. `error` is None, or Slack's word, such as `operation_timeout`."""

    ok: bool
    error: str | None
    text: str
    errors: dict[str, str]
    views: list[View]
    delivery: int | None

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Outcome:
        """From the control API's JSON."""
        return cls(
            ok=entry["ok"],
            error=entry.get("error"),
            text=entry.get("text", ""),
            errors=entry.get("errors", {}),
            views=[View.read(view) for view in entry.get("views", [])],
            delivery=entry.get("delivery"),
        )


@dataclass(frozen=True)
class CommandOutcome:
    """What became of a slash command; `text` is the error that the member was shown."""

    ok: bool
    error: str | None
    text: str
    delivery: int | None

    @classmethod
    def read(cls, entry: dict[str, Any]) -> CommandOutcome:
        """From the control API's JSON."""
        return cls(entry["ok"], entry.get("error"), entry.get("text", ""), entry.get("delivery"))


@dataclass(frozen=True)
class Delivery:
    """One HTTP request to the app; `outcome` is pending, acked, http_error, timeout or connection_failed."""

    id: int
    kind: str
    subject: str
    headers: dict[str, str]
    body: str
    sent_wall: float
    sent_monotonic: float
    outcome: str
    status: int | None
    ack_ms: float | None
    retry_num: int
    faults: list[str]
    response_body: str

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Delivery:
        """From the control API's JSON."""
        return cls(**{name: entry[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class LoggedCall:
    """One Web API call by the app."""

    id: int
    method: str
    arguments: dict[str, Any]
    called_wall: float
    called_monotonic: float
    status: int
    ok: bool
    error: str | None
    fault: str | None
    answer: dict[str, Any]

    @classmethod
    def read(cls, entry: dict[str, Any]) -> LoggedCall:
        """From the control API's JSON."""
        return cls(**{name: entry[name] for name in cls.__dataclass_fields__})


def _elements(blocks: list[dict[str, Any]]) -> Iterator[Block]:
    for block in blocks:
        label = block.get("label", {}).get("text", "") if isinstance(block.get("label"), dict) else ""
        elements = [block.get("element"), block.get("accessory")]
        if block.get("type") == "actions":
            elements += block.get("elements", [])
        for element in elements:
            if isinstance(element, dict) and "action_id" in element:
                text = element.get("text")
                own = text.get("text", "") if isinstance(text, dict) else ""
                yield Block(block.get("block_id", ""), element["action_id"], label or own, element["type"])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for item in value.values():
            if isinstance(item, (dict, list)):
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
