"""chat.*: posting, changing and deleting messages."""

from __future__ import annotations

import json
import math
from typing import Any

from deploy.local.slack.block_ids import with_block_ids
from deploy.local.slack.blocks import check_message_blocks, has_too_many_tables
from deploy.local.slack.entities import Channel, Json, Message
from deploy.local.slack.errors import SlackError
from deploy.local.slack.files import is_picture_ready
from deploy.local.slack.messages import change_message, delete_message, post_ephemeral, post_message, thread_of
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.workspace import Workspace

MAX_TEXT = 40_000
MAX_ATTACHMENTS = 100
MAX_METADATA_BYTES = 16_000


def read_content(workspace: Workspace, arguments: Arguments) -> Json:
    """The text, blocks and attachments of a call, checked; raises `SlackError`."""
    text = arguments.text("text") or arguments.text("markdown_text")
    if len(text) > MAX_TEXT:
        raise SlackError("msg_too_long")
    blocks = arguments.json_list("blocks", "invalid_blocks_format")
    if blocks:
        problems = check_message_blocks(blocks, lambda slack_file: is_picture_ready(workspace, slack_file))
        if problems:
            raise SlackError("invalid_blocks", problems)
        if has_too_many_tables(blocks):
            raise SlackError("invalid_attachments", ["only_one_table_allowed"])
        blocks = with_block_ids(workspace, blocks)
    attachments = arguments.json_list("attachments", "invalid_attachments")
    if attachments and len(attachments) > MAX_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    for attachment in attachments or []:
        if not isinstance(attachment, dict):
            raise SlackError("invalid_attachments")
        inner = attachment.get("blocks") or []
        if not isinstance(inner, list) or check_message_blocks(inner, lambda file: is_picture_ready(workspace, file)):
            raise SlackError("invalid_attachments")
    return {"text": text, "blocks": blocks, "attachments": attachments}


def find_channel(workspace: Workspace, wanted: str) -> Channel:
    """The channel that the app means: an id, a name of a public channel, or a member (their direct message)."""
    if wanted in workspace.members:
        return workspace.direct_message(wanted, workspace.settings.bot_user_id)
    if wanted in workspace.channels:
        channel = workspace.channels[wanted]
    else:
        name = wanted.removeprefix("#")
        channel = next((c for c in workspace.channels.values() if c.name and c.name == name), None)  # type: ignore[assignment]
    if channel is None or (channel.kind != "public" and workspace.settings.bot_user_id not in channel.members):
        raise SlackError("channel_not_found")
    return channel


def post_message_method(workspace: Workspace, arguments: Arguments) -> Json:
    """chat.postMessage."""
    channel = find_channel(workspace, arguments.required("channel"))
    is_member = workspace.settings.bot_user_id in channel.members
    if not is_member and "chat:write.public" not in workspace.manifest.bot_scopes:
        raise SlackError("not_in_channel")
    content = read_content(workspace, arguments)
    if not content["text"] and not content["blocks"] and not content["attachments"]:
        raise SlackError("no_text")
    workspace.limits.count_post(channel.id)
    thread_ts = thread_of(channel, arguments.text("thread_ts") or None)
    can_customize = "chat:write.customize" in workspace.manifest.bot_scopes
    message = post_message(
        workspace,
        channel,
        workspace.settings.bot_user_id,
        content["text"],
        blocks=content["blocks"] or [],
        attachments=content["attachments"] or [],
        thread_ts=thread_ts,
        is_from_app=True,
        metadata=_metadata(arguments),
        is_broadcast=bool(thread_ts) and arguments.flag("reply_broadcast"),
        username=(arguments.text("username") or None) if can_customize else None,
        icon_emoji=(arguments.text("icon_emoji") or None) if can_customize else None,
    )
    body = workspace.message_json(channel, message, has_metadata=True)
    return {"ok": True, "channel": channel.id, "ts": message.ts, "message": body}


def update_message_method(workspace: Workspace, arguments: Arguments) -> Json:
    """chat.update. Blocks stay only when no text is given; the edited mark shows only on messages without blocks."""
    channel, message = _own_message(workspace, arguments, "cant_update_message")
    content = read_content(workspace, arguments)
    facts: dict[str, Any] = {}
    if arguments.has("text") or arguments.has("markdown_text"):
        facts["text"] = content["text"]
        facts["blocks"] = content["blocks"] or []
    elif content["blocks"] is not None:
        facts["blocks"] = content["blocks"]
    if content["attachments"] is not None:
        facts["attachments"] = content["attachments"]
    if arguments.has("metadata"):
        facts["metadata"] = _metadata(arguments)
    file_ids = arguments.json_list("file_ids", "invalid_arguments")
    if file_ids is not None:
        if any(str(file_id) not in workspace.files for file_id in file_ids):
            raise SlackError("file_not_found")
        facts["files"] = file_ids
    if not facts:
        raise SlackError("no_text")
    has_blocks = bool(facts.get("blocks", message.blocks) or facts.get("attachments", message.attachments))
    change_message(workspace, channel, message, workspace.settings.bot_user_id, is_edit=not has_blocks, **facts)
    body = workspace.message_json(channel, message, has_metadata=True)
    return {"ok": True, "channel": channel.id, "ts": message.ts, "text": message.text, "message": body}


def delete_message_method(workspace: Workspace, arguments: Arguments) -> Json:
    """chat.delete."""
    channel, message = _own_message(workspace, arguments, "cant_delete_message")
    delete_message(workspace, channel, message)
    return {"ok": True, "channel": channel.id, "ts": message.ts}


def post_ephemeral_method(workspace: Workspace, arguments: Arguments) -> Json:
    """chat.postEphemeral."""
    channel = find_channel(workspace, arguments.required("channel"))
    user = arguments.required("user")
    if workspace.settings.bot_user_id not in channel.members:
        raise SlackError("not_in_channel" if channel.kind == "public" else "channel_not_found")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    content = read_content(workspace, arguments)
    if not content["text"] and not content["blocks"]:
        raise SlackError("no_text")
    thread_ts = thread_of(channel, arguments.text("thread_ts") or None)
    ephemeral = post_ephemeral(
        workspace, channel, user, content["text"], blocks=content["blocks"] or [], thread_ts=thread_ts
    )
    return {"ok": True, "message_ts": ephemeral.ts}


def get_permalink_method(workspace: Workspace, arguments: Arguments) -> Json:
    """chat.getPermalink."""
    channel = find_channel(workspace, arguments.required("channel"))
    message = channel.messages.get(arguments.required("message_ts"))
    if message is None:
        raise SlackError("message_not_found")
    return {"ok": True, "channel": channel.id, "permalink": permalink(workspace, channel, message)}


def permalink(workspace: Workspace, channel: Channel, message: Message) -> str:
    """The address of a message on the workspace page."""
    link = f"{workspace.base_url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    return f"{link}?thread_ts={message.thread_ts}&cid={channel.id}" if message.thread_ts else link


def _own_message(workspace: Workspace, arguments: Arguments, error: str) -> tuple[Channel, Message]:
    channel = workspace.channel(arguments.required("channel"))
    if channel.kind != "public" and workspace.settings.bot_user_id not in channel.members:
        raise SlackError("channel_not_found")
    message = channel.messages.get(arguments.required("ts"))
    if message is None or message.is_deleted:
        raise SlackError("message_not_found")
    if not message.is_from_app:
        raise SlackError(error)
    return channel, message


def _metadata(arguments: Arguments) -> Json | None:
    metadata = arguments.json_object("metadata", "invalid_metadata_format")
    if metadata is None:
        return None
    payload = metadata.get("event_payload", {})
    if not isinstance(metadata.get("event_type"), str) or not isinstance(payload, dict):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata).encode()) > MAX_METADATA_BYTES or not _is_finite(payload):
        raise SlackError("metadata_too_large")
    return {"event_type": metadata["event_type"], "event_payload": payload}


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_finite(item) for item in value.values())
    if isinstance(value, list):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)
