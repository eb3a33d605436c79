"""Uploading files: bytes, the asynchronous processing, sharing, deleting."""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath

from PIL import Image, UnidentifiedImageError

from deploy.local.slack.entities import File, Json
from deploy.local.slack.errors import SlackError
from deploy.local.slack.events import send_event
from deploy.local.slack.messages import announce_message_changed
from deploy.local.slack.workspace import Workspace

MIMETYPES = {
    "PNG": ("image/png", "png"),
    "JPEG": ("image/jpeg", "jpg"),
    "GIF": ("image/gif", "gif"),
    "WEBP": ("image/webp", "webp"),
}
TEXT_TYPES = {"txt": "text/plain", "csv": "text/csv", "json": "application/json", "md": "text/markdown"}


def start_file(
    workspace: Workspace, user: str, filename: str, length: int, title: str = "", alt_txt: str | None = None
) -> File:
    """A place for a file that is about to be uploaded; raises `SlackError`."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    if not name or len(name) > 255:
        raise SlackError("invalid_arguments", ["[ERROR] must provide a filename [json-pointer:/filename]"])
    if length < 1:
        raise SlackError("invalid_arguments", ["[ERROR] must be greater than 0 [json-pointer:/length]"])
    if length > workspace.settings.max_file_bytes:
        raise SlackError("file_upload_size_restricted")
    file = File(workspace.new_id("F"), name, title or name, user, length, int(time.time()), alt_txt)
    workspace.files[file.id] = file
    return file


def receive_content(workspace: Workspace, upload_token: str, content: bytes) -> File:
    """Take the bytes of a started file; raises `SlackError`."""
    file = next((file for file in workspace.files.values() if file.upload_token == upload_token), None)
    if file is None or file.is_complete:
        raise SlackError("file_not_found")
    if len(content) != file.size:
        raise SlackError("file_size_mismatch")
    if workspace.settings.file_folder is None:
        file.content = content
    else:
        (workspace.settings.file_folder / file.id).write_bytes(content)
        file.content = b""
    return file


def read_content_of(workspace: Workspace, file: File) -> bytes:
    """The bytes of a file; raises `SlackError` when they were deleted or never came."""
    if file.is_deleted or file.content is None:
        raise SlackError("file_not_found")
    if workspace.settings.file_folder is None:
        return file.content
    return (workspace.settings.file_folder / file.id).read_bytes()


def complete_files(workspace: Workspace, files: list[File], share: Callable[[], Awaitable[None]] | None = None) -> None:
    """Finish an upload: process the files beside everything else, and share them when that is done, as Slack does."""
    for file in files:
        file.is_complete = True

    async def process() -> None:
        await asyncio.sleep(workspace.file_processing_seconds)
        for file in files:
            if not file.is_deleted:
                _process(workspace, file)
        if share is not None and not all(file.is_deleted for file in files):
            await share()

    workspace.run_later(process())


def delete_file(workspace: Workspace, file: File) -> None:
    """Remove a file; messages that shared it show that it is gone."""
    file.is_deleted = True
    file.content = None
    if workspace.settings.file_folder is not None:
        (workspace.settings.file_folder / file.id).unlink(missing_ok=True)
    _announce_messages_with(workspace, file)
    event_ts = workspace.new_ts()
    send_event(workspace, {"type": "file_deleted", "file_id": file.id, "event_ts": event_ts}, "file_deleted")


def find_slack_file(workspace: Workspace, slack_file: Json) -> File | None:
    """The file that a `slack_file` object names by id or by URL."""
    file_id = str(slack_file.get("id") or "")
    if not file_id:
        match = re.search(r"/(?:files-pri/[A-Z0-9]+-|files/[A-Z0-9]+/)(F[A-Z0-9]+)", str(slack_file.get("url") or ""))
        file_id = match[1] if match else ""
    return workspace.files.get(file_id)


def is_picture_ready(workspace: Workspace, slack_file: Json) -> bool:
    """Whether Slack would show this `slack_file` in an image block now."""
    file = find_slack_file(workspace, slack_file)
    return file is not None and file.is_picture and not file.is_deleted


def is_visible_to_app(workspace: Workspace, file: File) -> bool:
    """Its own files, those of public channels and of its channels, and those that a member gave it in a form."""
    bot = workspace.settings.bot_user_id
    if file.is_deleted or not file.is_complete:
        return False
    return (
        file.user == bot
        or any(
            bot in workspace.channels[share[0]].members or workspace.channels[share[0]].kind == "public"
            for share in file.shares
        )
        or file.id in workspace.files_given_to_app
    )


def _process(workspace: Workspace, file: File) -> None:
    content = read_content_of(workspace, file)
    suffix = PurePosixPath(file.name).suffix.removeprefix(".").lower()
    file.mimetype, file.filetype = TEXT_TYPES.get(suffix, "application/octet-stream"), suffix or "binary"
    try:
        with Image.open(io.BytesIO(content)) as image:
            file.width, file.height = image.size
            file.mimetype, file.filetype = MIMETYPES.get(image.format or "", (file.mimetype, file.filetype))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError, ValueError, SyntaxError):
        file.width = file.height = 0
    file.is_processed = True
    workspace.feed.announce("file", {"file": workspace.file_json(file)})
    # A member may have shared it before it was processed.
    _announce_messages_with(workspace, file)


def _announce_messages_with(workspace: Workspace, file: File) -> None:
    for channel_id, ts, _ in file.shares:
        channel = workspace.channels[channel_id]
        if ts in channel.messages:
            announce_message_changed(workspace, channel, channel.messages[ts])
