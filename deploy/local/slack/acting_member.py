"""What a script does as one member of the local workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from deploy.local.slack.client_types import (
    DEFAULT_WAIT_SECONDS,
    Block,
    CommandOutcome,
    Message,
    Outcome,
    View,
    WorkspaceRefused,
)

if TYPE_CHECKING:
    from deploy.local.slack.client import LocalWorkspace

Found = TypeVar("Found")


class ActingMember:
    """Somebody in the workspace. Channels are named `#design`, or `@easel` for a direct message, or by id."""

    def __init__(self, workspace: LocalWorkspace, name: str) -> None:
        self.workspace = workspace
        self.name = name
        self.id = workspace.user_id(name)
        self._own = f"/members/{self.id}"

    def run_command(self, channel: str, command: str, thread_ts: str | None = None) -> CommandOutcome:
        """Type a slash command, such as `/imagine a red boat`; returns when Slack has its answer, or has given up."""
        body = {"channel": channel, "command": command, "thread_ts": thread_ts}
        return CommandOutcome.read(self._call("POST", "/commands", body))

    def post(
        self, channel: str, text: str, thread_ts: str | None = None, files: list[str | Path] | None = None
    ) -> Message:
        """Post a message, as typed (`@easel` and `#design` become mentions), with files if any."""
        file_ids = [self.upload(path)["id"] for path in files or []]
        body = {"channel": channel, "text": text, "thread_ts": thread_ts, "file_ids": file_ids}
        return Message.read(self._call("POST", "/messages", body)["message"])

    def reply(self, message: Message, text: str, files: list[str | Path] | None = None) -> Message:
        """Reply in a message's thread."""
        return self.post(message.channel, text, thread_ts=message.thread_ts or message.ts, files=files)

    def mention(self, message_or_channel: Message | str, text: str) -> Message:
        """Mention the app, in a message's thread or in a channel: `@easel ` is put in front of the text."""
        app_id = self.workspace.info()["app"]["bot_user_id"]
        handle = next(m["name"] for m in self.workspace.info()["members"] if m["id"] == app_id)
        if isinstance(message_or_channel, Message):
            return self.reply(message_or_channel, f"@{handle} {text}")
        return self.post(message_or_channel, f"@{handle} {text}")

    def edit(self, message: Message, text: str) -> None:
        """Change an own message."""
        self._call("PUT", "/messages", {"channel": message.channel, "ts": message.ts, "text": text})

    def delete(self, message: Message) -> None:
        """Delete an own message, or dismiss an ephemeral one."""
        self._call("DELETE", "/messages", {"channel": message.channel, "ts": message.ts})

    def react(self, message: Message, name: str) -> None:
        """Add a reaction, or take it back."""
        self._call("POST", "/reactions", {"channel": message.channel, "ts": message.ts, "name": name})

    def press(
        self,
        place: Message | View,
        button: str,
        value: Any = None,
        block_id: str | None = None,
        values: dict[str, Any] | None = None,
    ) -> Outcome:
        """Press a button, by its text or action id, or choose `value` in a select, by its action id.

        In a view, `values` are inputs changed before, by block id or label, as in `fill_and_submit`.
        """
        body: dict[str, Any] = {"action_id": button, "block_id": block_id, "value": value}
        body |= self._place(place)
        if isinstance(place, View) and values:
            body["values"] = self._values(place, values)
        return Outcome.read(self._call("POST", "/actions", body))

    def open_shortcut(self, shortcut: str, message: Message | None = None) -> Outcome:
        """Use a shortcut by its name or callback id: a global one, or on a message."""
        known = self._call("GET", "/state")["app"]["shortcuts"]
        callback_id = next((s["callback_id"] for s in known if shortcut in {s["name"], s["callback_id"]}), shortcut)
        body: dict[str, Any] = {"callback_id": callback_id}
        if message is not None:
            body |= {"channel": message.channel, "ts": message.ts}
        return Outcome.read(self._call("POST", "/shortcuts", body))

    def fill_and_submit(self, view: View, values: dict[str, Any] | None = None) -> Outcome:
        """Fill a modal and submit it. `values` is by block id or label; what isn't named keeps its value.

        Texts for text inputs, an option's text or value for selects, lists for multi-selects, file ids (of `upload`)
        for file inputs. The outcome has `errors` by block id, whether the form's own checks or the app found them.
        """
        body = {"values": self._values(view, values or {})}
        return Outcome.read(self._call("POST", f"/views/{view.id}/submit", body))

    def close_view(self, view: View, is_all: bool = False) -> None:
        """Close a modal (it must be the top one), or the whole stack."""
        self._call("POST", f"/views/{view.id}/close", {"is_all": is_all})

    def suggestions(self, place: Message | View, block: str, query: str) -> list[dict[str, Any]]:
        """The options that an external select offers for a query; `block` is its block id, label or action id."""
        found = place.find_input(block)
        body = {"action_id": found.action_id, "block_id": found.block_id, "value": query} | self._place(place)
        answer = self._call("POST", "/suggestions", body)
        if not answer["ok"]:
            raise WorkspaceRefused(answer["error"])
        return list(answer["options"])

    def upload(self, path: str | Path, title: str = "") -> dict[str, Any]:
        """Upload a file without sharing it yet (for a form's file input); returns its file object."""
        path = Path(path)
        return dict(self.workspace.upload(f"{self._own}/files", path.name, path.read_bytes(), title)["files"][0])

    def upload_file(self, channel: str, path: str | Path, text: str = "", thread_ts: str | None = None) -> Message:
        """Upload a file and share it in a channel."""
        return self.post(channel, text, thread_ts=thread_ts, files=[path])

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """What the member sees in a channel, or in a thread (the parent first), oldest first, ephemerals included."""
        params = {"channel": channel} | ({"thread_ts": thread_ts} if thread_ts else {})
        query = httpx.QueryParams(params)
        return [Message.read(entry) for entry in self._call("GET", f"/messages?{query}")["messages"]]

    def ephemerals(self, channel: str | None = None) -> list[Message]:
        """The messages that only this member sees, oldest first."""
        shown = [Message.read(entry) for entry in self._call("GET", "/ephemerals")["messages"]]
        if channel is None:
            return shown
        channel_id = self._channel_id(channel)
        return [message for message in shown if message.channel == channel_id]

    def views(self) -> list[View]:
        """The member's open modals, the top one last."""
        return [View.read(entry) for entry in self._call("GET", "/views")["views"]]

    def home(self) -> View | None:
        """The app's home tab as this member sees it."""
        home = self._call("GET", "/views")["home"]
        return View.read(home) if home else None

    def open_app_home(self, tab: str = "home") -> None:
        """Open the app's home tab, or its `messages` tab."""
        self._call("POST", "/app_home", {"tab": tab})

    def status(self, channel: str, thread_ts: str) -> str:
        """What the app says it is doing in a thread, or an empty text."""
        channel_id = self._channel_id(channel)
        for entry in self._call("GET", "/state")["statuses"]:
            if (entry["channel"], entry["thread_ts"]) == (channel_id, thread_ts):
                return str(entry["status"])
        return ""

    def wait_for(
        self, look: Callable[[], Found], timeout: float = DEFAULT_WAIT_SECONDS, what: str = "what the script waits for"
    ) -> Found:
        """`LocalWorkspace.wait_for`."""
        return self.workspace.wait_for(look, timeout, what)

    def wait_for_message(
        self,
        channel: str,
        is_wanted: Callable[[Message], bool],
        timeout: float = DEFAULT_WAIT_SECONDS,
        thread_ts: str | None = None,
    ) -> Message:
        """The first message in a channel or thread for which `is_wanted` says yes; raises `WaitTimeout`."""

        def look() -> Message | None:
            return next((message for message in self.messages(channel, thread_ts) if is_wanted(message)), None)

        found = self.workspace.wait_for(look, timeout, f"such message in {channel}")
        assert found is not None
        return found

    def wait_for_view(
        self, is_wanted: Callable[[View], bool] = lambda view: True, timeout: float = DEFAULT_WAIT_SECONDS
    ) -> View:
        """The top modal, as soon as there is one for which `is_wanted` says yes; raises `WaitTimeout`."""

        def look() -> View | None:
            views = self.views()
            return views[-1] if views and is_wanted(views[-1]) else None

        found = self.workspace.wait_for(look, timeout, "such form")
        assert found is not None
        return found

    def _channel_id(self, channel: str) -> str:
        state = self._call("GET", "/state")
        if channel.startswith("@"):
            other = self.workspace.user_id(channel)
            return next((str(c["id"]) for c in state["channels"] if c.get("user") == other), channel)
        wanted = channel.removeprefix("#")
        return next((str(c["id"]) for c in state["channels"] if wanted in {c["id"], c.get("name")}), channel)

    def _values(self, view: View, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            block: Block = view.find_input(name)
            found.setdefault(block.block_id, {})[block.action_id] = value
        return found

    def _place(self, place: Message | View) -> dict[str, Any]:
        if isinstance(place, View):
            return {"view_id": place.id}
        return {"channel": place.channel, "ts": place.ts}

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.workspace.call(method, self._own + path, body)
