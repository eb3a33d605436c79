"""A Python client of the local workspace: act as any member, switch faults on, measure. See docs/local-workspace.md."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx

from deploy.local.slack.client_types import Block, CommandOutcome, Delivery, LoggedCall, Message, Outcome, View

Found = TypeVar("Found")
CALL_SECONDS = 75.0
DEFAULT_WAIT_SECONDS = 10.0


class WorkspaceRefused(Exception):
    """The workspace refused what a script asked; `code` is Slack's (or the control API's) word for it."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code


class WaitTimeout(AssertionError):
    """What a script waited for did not happen in time."""


class LocalWorkspace:
    """A running local workspace, by its address. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=CALL_SECONDS, trust_env=False)
        # The page's session is what lets a member download private files.
        self._http.get("/").raise_for_status()

    def __enter__(self) -> LocalWorkspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def as_member(self, name: str) -> ActingMember:
        """Act as this member (a name such as `ada`, or an id)."""
        return ActingMember(self, name)

    def info(self) -> dict[str, Any]:
        """The team, the app, all members and all channels."""
        return self.call("GET", "")

    def channel_id(self, name: str) -> str:
        """The id of a channel by `#name`; raises `WorkspaceRefused`."""
        wanted = name.removeprefix("#")
        for channel in self.info()["channels"]:
            if wanted in {channel["id"], channel.get("name")}:
                return str(channel["id"])
        raise WorkspaceRefused("channel_not_found", name)

    def user_id(self, name: str) -> str:
        """The id of a member by name; raises `WorkspaceRefused`."""
        for member in self.info()["members"]:
            if name.removeprefix("@") in {member["id"], member["name"]}:
                return str(member["id"])
        raise WorkspaceRefused("user_not_found", name)

    def start_over(self) -> None:
        """Forget everything that happened: members, channels and files as at the start. The app's address stays."""
        self.call("POST", "/start_over", {})

    def set_request_url(self, url: str | None) -> None:
        """Where everything is delivered from now on (None: to the URLs in the manifest)."""
        self.call("PUT", "/app", {"request_url": url})

    def verify_request_url(self) -> bool:
        """Send Slack's `url_verification`; whether the app answered it."""
        return bool(self.call("POST", "/app/verify", {})["ok"])

    def uninstall_app(self, order: list[str] | None = None) -> None:
        """Uninstall the app: its token is refused, and `app_uninstalled` and `tokens_revoked` go out in this order."""
        self.call("POST", "/app/uninstall", {"order": order})

    def reinstall_app(self) -> None:
        """Install it again, with the same token."""
        self.call("POST", "/app/reinstall", {})

    def add_channel(
        self, name: str, members: list[str] | None = None, is_private: bool = False, creator: str = "ada"
    ) -> str:
        """Add a channel with these members (the app is one only when named) and return its id."""
        body = {"name": name, "members": members or [], "is_private": is_private, "creator": creator}
        return str(self.call("POST", "/channels", body)["channel"]["id"])

    def add_member(
        self,
        name: str,
        real_name: str | None = None,
        channels: list[str] | None = None,
        is_guest: bool = False,
        is_admin: bool = False,
    ) -> str:
        """Add a member and return their id."""
        body = {
            "name": name,
            "real_name": real_name,
            "channels": channels or [],
            "is_guest": is_guest,
            "is_admin": is_admin,
        }
        return str(self.call("POST", "/members", body)["member"]["id"])

    def add_usergroup(self, handle: str, users: list[str]) -> str:
        """Add a user group and return its id."""
        return str(self.call("POST", "/usergroups", {"handle": handle, "users": users})["usergroup"]["id"])

    def set_membership(self, channel: str, member: str, is_member: bool, by: str = "ada") -> None:
        """Add a member or the app to a channel, or take them out."""
        self.call("POST", "/membership", {"channel": channel, "member": member, "is_member": is_member, "by": by})

    # Faults

    def drop_acks(self, count: int = 1, kind: str | None = None) -> None:
        """The app gets the next deliveries, but its answers never arrive. `kind`: command, event or interaction."""
        self.call("POST", "/faults", {"fault": "drop_ack", "count": count, "kind": kind})

    def lose_deliveries(self, count: int = 1, kind: str | None = None) -> None:
        """The app never gets the next deliveries."""
        self.call("POST", "/faults", {"fault": "lose", "count": count, "kind": kind})

    def delay_deliveries(self, seconds: float, count: int = 1, kind: str | None = None) -> None:
        """The next deliveries are on their way for so long, already signed; Slack's patience runs meanwhile."""
        self.call("POST", "/faults", {"fault": "delay", "seconds": seconds, "count": count, "kind": kind})

    def repeat_deliveries(self, times: int = 2, count: int = 1, kind: str | None = None) -> None:
        """The next deliveries arrive so many times each, at once."""
        self.call("POST", "/faults", {"fault": "repeat", "times": times, "count": count, "kind": kind})

    def answer_status(
        self, method: str, status: int = 429, count: int = 1, retry_after: int = 1, is_applied: bool = False
    ) -> None:
        """Answer the next calls of a Web API method (`*`: any) with an HTTP status, 429 with `Retry-After`.

        With `is_applied` the call takes effect and only its answer is lost.
        """
        body = {
            "fault": "status",
            "method": method,
            "status": status,
            "count": count,
            "retry_after": retry_after,
            "is_applied": is_applied,
        }
        self.call("POST", "/faults", body)

    def answer_error(
        self, method: str, error: str = "internal_error", count: int = 1, is_applied: bool = False
    ) -> None:
        """Answer the next calls of a Web API method (`*`: any) with a Slack error."""
        body = {"fault": "error", "method": method, "error": error, "count": count, "is_applied": is_applied}
        self.call("POST", "/faults", body)

    def set_file_processing(self, seconds: float) -> None:
        """How long uploaded files take to be processed from now on."""
        self.call("PUT", "/settings", {"file_processing_seconds": seconds})

    def set_rate_limits(self, factor: float | None) -> None:
        """Multiply Slack's rate limits, from now on; None switches them off."""
        self.call("PUT", "/settings", {"rate_limit_factor": factor})

    def clear_faults(self) -> None:
        """Switch all faults off and process files as quickly as at the start."""
        self.call("DELETE", "/faults")

    # What happened

    def deliveries(self, kind: str | None = None, subject: str | None = None) -> list[Delivery]:
        """What was sent to the app, oldest first."""
        entries = [Delivery.read(entry) for entry in self.call("GET", "/log")["deliveries"]]
        return [entry for entry in entries if kind in {None, entry.kind} and subject in {None, entry.subject}]

    def api_calls(self, method: str | None = None) -> list[LoggedCall]:
        """What the app called, oldest first."""
        entries = [LoggedCall.read(entry) for entry in self.call("GET", "/log")["api_calls"]]
        return [entry for entry in entries if method in {None, entry.method}]

    def clear_log(self) -> None:
        """Forget what happened so far."""
        self.call("DELETE", "/log")

    def files(self) -> list[dict[str, Any]]:
        """All file objects of the workspace, oldest first."""
        return list(self.call("GET", "/files")["files"])

    def download(self, file: dict[str, Any] | str) -> bytes:
        """The bytes of a file, by its object or id."""
        if isinstance(file, str):
            file = self.call("GET", f"/files?id={file}")["files"][0]
        assert isinstance(file, dict)
        response = self._http.get(file["url_private_download"])
        if response.status_code != 200:
            raise WorkspaceRefused("file_not_found", str(file.get("id")))
        return response.content

    def wait_for(
        self, look: Callable[[], Found], timeout: float = DEFAULT_WAIT_SECONDS, what: str = "what the script waits for"
    ) -> Found:
        """Call `look` after every change until it returns something true, and return that; raises `WaitTimeout`."""
        deadline = time.monotonic() + timeout
        number = 0
        while True:
            number = int(self.call("GET", f"/changes?since={number}")["number"])
            found = look()
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeout(f"after {timeout:g} s there was no {what}")
            # Not every change is announced (the log's aren't), so look again now and then.
            self.call("GET", f"/changes?since={number}&timeout_seconds={min(left, 0.25):.3f}")

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call of the control API; raises `WorkspaceRefused`."""
        json_body = body if method in {"POST", "PUT"} else None
        params = body if method == "DELETE" and body else None
        response = self._http.request(method, f"/control{path}", json=json_body, params=params)
        return self.read_answer(response)

    def upload(self, path: str, filename: str, content: bytes, title: str) -> dict[str, Any]:
        """Send a file to a control route; raises `WorkspaceRefused`."""
        response = self._http.post(f"/control{path}", files={"file": (filename, content)}, data={"title": title})
        return self.read_answer(response)

    @staticmethod
    def read_answer(response: httpx.Response) -> dict[str, Any]:
        """The answer's JSON; raises `WorkspaceRefused`."""
        if response.status_code == 200:
            return dict(response.json())
        try:
            answer = response.json()
        except ValueError:
            answer = {"error": f"http_{response.status_code}", "text": response.text[:200]}
        raise WorkspaceRefused(answer.get("error", "unknown"), answer.get("text", ""))


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
