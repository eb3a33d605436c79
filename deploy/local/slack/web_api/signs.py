"""reactions.* and assistant.threads.*: small signs on messages and threads."""

from __future__ import annotations

import asyncio
import re
import time

from deploy.local.slack.entities import Channel, Json, Message
from deploy.local.slack.errors import SlackError
from deploy.local.slack.messages import clear_status
from deploy.local.slack.reactions import add_reaction, remove_reaction
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.web_api.conversations import visible_channel
from deploy.local.slack.workspace import ThreadStatus, Workspace

STATUS_SECONDS = 120.0


def reactions_add(workspace: Workspace, arguments: Arguments) -> Json:
    """reactions.add."""
    channel, message, name = _target(workspace, arguments)
    add_reaction(workspace, channel, message, workspace.settings.bot_user_id, name)
    return {"ok": True}


def reactions_remove(workspace: Workspace, arguments: Arguments) -> Json:
    """reactions.remove."""
    channel, message, name = _target(workspace, arguments)
    remove_reaction(workspace, channel, message, workspace.settings.bot_user_id, name)
    return {"ok": True}


def set_status(workspace: Workspace, arguments: Arguments) -> Json:
    """assistant.threads.setStatus: shown for two minutes, or until the app posts in the thread."""
    scopes = workspace.manifest.bot_scopes
    if "chat:write" not in scopes and "assistant:write" not in scopes:
        raise SlackError("missing_scope", needed="chat:write", provided=",".join(sorted(scopes)))
    channel = visible_channel(workspace, arguments.required("channel_id"))
    if workspace.settings.bot_user_id not in channel.members:
        raise SlackError("not_in_channel")
    thread_ts = arguments.required("thread_ts")
    if thread_ts not in channel.messages:
        raise SlackError("thread_not_found")
    text = arguments.text("status")
    if not text:
        clear_status(workspace, channel, thread_ts)
        return {"ok": True}
    seconds = STATUS_SECONDS * workspace.settings.time_scale
    status = ThreadStatus(text, time.monotonic() + seconds)
    workspace.statuses[(channel.id, thread_ts)] = status
    body = {"channel": channel.id, "thread_ts": thread_ts, "status": text}
    workspace.feed.announce("status", body, None if channel.kind == "public" else channel.members)

    async def end() -> None:
        await asyncio.sleep(seconds)
        if workspace.statuses.get((channel.id, thread_ts)) is status:
            clear_status(workspace, channel, thread_ts)

    workspace.run_later(end())
    return {"ok": True}


def _target(workspace: Workspace, arguments: Arguments) -> tuple[Channel, Message, str]:
    channel = visible_channel(workspace, arguments.required("channel"))
    if workspace.settings.bot_user_id not in channel.members:
        raise SlackError("not_in_channel")
    message = channel.messages.get(arguments.required("timestamp"))
    if message is None:
        raise SlackError("message_not_found")
    name = arguments.required("name").strip(":")
    if not re.fullmatch(r"[a-z0-9_+\-']{1,80}(::skin-tone-[2-6])?", name):
        raise SlackError("invalid_name")
    return channel, message, name
