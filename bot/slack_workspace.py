"""The real Slack: messages and files through the Web API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.request import Request, urlopen

from slack_sdk import WebClient
from slack_sdk.web import SlackResponse
from slack_sdk.webhook import WebhookClient

from bot.bot_tokens import BotTokens
from bot.ports.slack import Slack, SlackFile, SlackRefused, SlackUnavailable, UploadTicket
from bot.slack_client import TIMEOUT_SECONDS, WorkspaceToken, call, hasty_client, patient_client
from bot.slack_downloads import download
from commands.views.blocks import Message

METADATA_EVENT = "easel_request"
PAGE = 100
UPLOAD_SECONDS = 30
MAX_PAGES = 5
# A message that we are looking for was posted after this many seconds before it was asked for: clocks differ.
CLOCK_SLACK_SECONDS = 60
MAX_KEPT = 100


class SlackWorkspaces:
    """Implements `bot.ports.slack.Workspaces`."""

    def __init__(self, tokens: BotTokens, api_url: str) -> None:
        self._tokens = tokens
        self._api_url = api_url
        self._kept: dict[tuple[str, str], SlackWorkspace] = {}

    def slack_for(self, team: str, enterprise: str) -> Slack:
        """Slack in one workspace. Makes no call: whether the app is installed there shows at the first one."""
        kept = self._kept.get((team, enterprise))
        if kept is None:
            while len(self._kept) >= MAX_KEPT:
                self._kept.pop(next(iter(self._kept)))
            token = WorkspaceToken(self._tokens, team, enterprise)
            kept = self._kept[team, enterprise] = SlackWorkspace(token, self._api_url)
        return kept


class SlackWorkspace:
    """Implements `bot.ports.slack.Slack` for one workspace."""

    def __init__(self, token: WorkspaceToken, api_url: str) -> None:
        self._token = token
        self._api_url = api_url
        self._client: WebClient = patient_client(token, api_url)
        self._hasty: WebClient = hasty_client(token, api_url)

    # -------------------------------------------------------------- messages

    def post(self, channel: str, thread_ts: str | None, message: Message, request_key: str) -> str:
        """Post and return the message's ts."""
        response = call(
            self._client.chat_postMessage,
            channel=channel,
            thread_ts=thread_ts,
            text=message.text,
            blocks=list(message.blocks),
            metadata={"event_type": METADATA_EVENT, "event_payload": {"request_key": request_key}},
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(response["ts"])

    def find(self, channel: str, thread_ts: str | None, request_key: str, since: float) -> str | None:
        """The ts of the message posted with this key after `since`, or None."""
        arguments: dict[str, Any] = {
            "channel": channel,
            "oldest": f"{since - CLOCK_SLACK_SECONDS:.6f}",
            "include_all_metadata": True,
            "limit": PAGE,
        }
        method: Callable[..., SlackResponse] = self._client.conversations_history
        if thread_ts is not None:
            method, arguments["ts"] = self._client.conversations_replies, thread_ts
        for _ in range(MAX_PAGES):
            response = call(method, **arguments)
            for found in response.get("messages") or []:
                metadata = found.get("metadata") or {}
                payload = metadata.get("event_payload") or {}
                if metadata.get("event_type") == METADATA_EVENT and payload.get("request_key") == request_key:
                    return str(found["ts"])
            cursor = (response.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
            arguments["cursor"] = cursor
        return None

    def update(self, channel: str, ts: str, message: Message, is_urgent: bool = True) -> None:
        """Replace what a message shows."""
        client = self._client if is_urgent else self._hasty
        call(client.chat_update, channel=channel, ts=ts, text=message.text, blocks=list(message.blocks))

    def tell(self, channel: str, thread_ts: str | None, member: str, message: Message) -> None:
        """Show something to one member alone."""
        call(
            self._client.chat_postEphemeral,
            channel=channel,
            user=member,
            thread_ts=thread_ts,
            text=message.text,
            blocks=list(message.blocks),
        )

    def respond(self, response_url: str, message: Message, replaces: bool = False) -> None:
        """Show something to whoever used the command or button that came with this URL."""
        try:
            response = WebhookClient(response_url, timeout=TIMEOUT_SECONDS, retry_handlers=[]).send(
                text=message.text, blocks=list(message.blocks), response_type="ephemeral", replace_original=replaces
            )
        except Exception as error:  # the SDK passes on whatever urllib raises
            raise SlackUnavailable(type(error).__name__) from error
        if response.status_code >= 500 or response.status_code == 429:
            raise SlackUnavailable(f"HTTP {response.status_code}")
        if response.status_code >= 400:
            raise SlackRefused(f"response_url_{response.status_code}")

    def write_to(self, member: str, message: Message) -> None:
        """A direct message."""
        opened = call(self._client.conversations_open, users=[member])
        call(
            self._client.chat_postMessage,
            channel=opened["channel"]["id"],
            text=message.text,
            blocks=list(message.blocks),
        )

    # -------------------------------------------------------------- people

    def list_usergroups(self) -> Mapping[str, frozenset[str]]:
        """The members' ids of each user group, by its id."""
        listed = call(self._client.usergroups_list, include_users=True)["usergroups"]
        return {str(group["id"]): frozenset(group.get("users") or ()) for group in listed}

    # -------------------------------------------------------------- files

    def reserve(self, name: str, size_bytes: int, alt_text: str) -> UploadTicket:
        """Announce a file."""
        # Slack refuses longer ones.
        response = call(
            self._client.files_getUploadURLExternal, filename=name, length=size_bytes, alt_txt=alt_text[:1_000]
        )
        return UploadTicket(str(response["file_id"]), str(response["upload_url"]))

    def send(self, ticket: UploadTicket, name: str, content: bytes) -> None:
        """Send its bytes, unchanged."""
        if not ticket.url.startswith(("https://", "http://")):
            raise SlackUnavailable("no upload URL")
        request = Request(  # noqa: S310 - the scheme was looked at
            ticket.url, data=content, method="POST", headers={"Content-Type": "application/octet-stream"}
        )
        try:
            with urlopen(request, timeout=UPLOAD_SECONDS) as response:  # noqa: S310
                response.read()
        except (OSError, HTTPException) as error:
            raise SlackUnavailable(type(error).__name__) from error

    def complete(self, file_id: str, title: str, channel: str | None = None, thread_ts: str | None = None) -> None:
        """Finish it; with a channel it is shared there."""
        call(
            self._client.files_completeUploadExternal,
            files=[{"id": file_id, "title": title}],
            channel_id=channel,
            thread_ts=thread_ts,
        )

    def is_ready(self, file_id: str) -> bool:
        """Whether Slack has processed it."""
        return bool(call(self._client.files_info, file=file_id)["file"].get("mimetype"))

    def is_shared(self, file_id: str) -> bool:
        """Whether it has been shared anywhere."""
        shares = call(self._client.files_info, file=file_id)["file"].get("shares") or {}
        return any(shares.values())

    def delete(self, file_id: str) -> None:
        """Delete it; a file that does not exist is no error."""
        try:
            call(self._client.files_delete, file=file_id)
        except SlackRefused as refused:
            if refused.code not in {"file_not_found", "file_deleted"}:
                raise

    # -------------------------------------------------------------- what people have uploaded

    def look_at(self, file_id: str) -> SlackFile:
        """A file's facts."""
        return _slack_file(call(self._client.files_info, file=file_id)["file"])

    def download(self, file: SlackFile, most_bytes: int) -> bytes:
        """Its bytes, from Slack's file host alone."""
        return download(file.url, self._api_url, self._token.get(), most_bytes)

    def pictures_in_thread(self, channel: str, root_ts: str) -> Sequence[SlackFile]:
        """The pictures that people have posted in a thread."""
        found: dict[str, SlackFile] = {}
        arguments: dict[str, Any] = {"channel": channel, "ts": root_ts, "limit": PAGE}
        for _ in range(MAX_PAGES):
            response = call(self._client.conversations_replies, **arguments)
            for message in response.get("messages") or []:
                if message.get("bot_id"):
                    continue
                files = [_slack_file(file) for file in message.get("files") or []]
                # While Slack processes a file, it does not say what it is.
                found |= {file.file_id: file for file in files if _may_be_picture(file)}
            cursor = (response.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
            arguments["cursor"] = cursor
        return list(found.values())

    # -------------------------------------------------------------- modals

    def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Replace what a modal shows."""
        call(self._client.views_update, view_id=view_id, view=dict(view))


def _may_be_picture(file: SlackFile) -> bool:
    return not file.is_deleted and (not file.mimetype or file.mimetype.startswith("image/"))


def _slack_file(file: Mapping[str, Any]) -> SlackFile:
    size = file.get("size")
    return SlackFile(
        file_id=str(file["id"]),
        name=str(file.get("name") or file.get("title") or "picture"),
        mimetype=str(file.get("mimetype") or ""),
        size_bytes=size if isinstance(size, int) else 0,
        url=str(file.get("url_private_download") or file.get("url_private") or ""),
        is_deleted=file.get("mode") == "tombstone",
    )
