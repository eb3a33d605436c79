"""conversations.*: channels, their members and their messages."""

from __future__ import annotations

from deploy.local.slack.entities import Channel, Json, Message
from deploy.local.slack.errors import SlackError
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.workspace import Workspace

KINDS = {"public_channel": "public", "private_channel": "private", "im": "im", "mpim": "mpim"}
SCOPE_KINDS = {"public": "channels", "private": "groups", "im": "im"}


def visible_channel(workspace: Workspace, channel_id: str, scope: str | None = None) -> Channel:
    """A channel that the app may know of; with `scope` (`read`, `history`), the scope for its kind is demanded."""
    channel = workspace.channel(channel_id)
    if channel.kind != "public" and workspace.settings.bot_user_id not in channel.members:
        raise SlackError("channel_not_found")
    if scope is not None:
        needed = f"{SCOPE_KINDS[channel.kind]}:{scope}"
        if needed not in workspace.manifest.bot_scopes:
            raise SlackError("missing_scope", needed=needed, provided=",".join(sorted(workspace.manifest.bot_scopes)))
    return channel


def history(workspace: Workspace, arguments: Arguments) -> Json:
    """conversations.history: newest first."""
    channel = _readable_channel(workspace, arguments)
    messages = [message for message in channel.top_level() if _is_between(message, arguments)]
    page, cursor = arguments.page_of(messages[::-1])
    return _messages_json(workspace, arguments, channel, page, cursor) | {"pin_count": 0}


def replies(workspace: Workspace, arguments: Arguments) -> Json:
    """conversations.replies: the parent, then its replies, oldest first."""
    channel = _readable_channel(workspace, arguments)
    message = channel.messages.get(arguments.required("ts"))
    if message is None:
        raise SlackError("thread_not_found")
    parent_ts = message.thread_ts or message.ts
    thread = [channel.messages[parent_ts]] if parent_ts in channel.messages else []
    thread += [reply for reply in channel.replies(parent_ts) if _is_between(reply, arguments)]
    page, cursor = arguments.page_of(thread, default_limit=1000)
    return _messages_json(workspace, arguments, channel, page, cursor)


def info(workspace: Workspace, arguments: Arguments) -> Json:
    """conversations.info."""
    channel = visible_channel(workspace, arguments.required("channel"), "read")
    return {"ok": True, "channel": channel.as_json(workspace.settings.bot_user_id)}


def list_conversations(workspace: Workspace, arguments: Arguments) -> Json:
    """conversations.list."""
    return _list(workspace, arguments, only_of=None)


def users_conversations(workspace: Workspace, arguments: Arguments) -> Json:
    """users.conversations: those that a user (by default the app) is in."""
    return _list(workspace, arguments, only_of=arguments.text("user") or workspace.settings.bot_user_id)


def members(workspace: Workspace, arguments: Arguments) -> Json:
    """conversations.members."""
    channel = visible_channel(workspace, arguments.required("channel"), "read")
    page, cursor = arguments.page_of(channel.members)
    return {"ok": True, "members": page, "response_metadata": {"next_cursor": cursor}}


def open_conversation(workspace: Workspace, arguments: Arguments) -> Json:
    """conversations.open: the direct message with one member."""
    users = [user for user in arguments.text("users").split(",") if user]
    if not users and not arguments.has("channel"):
        raise SlackError("users_list_not_supplied")
    if len(users) > 1:
        raise SlackError("method_not_supported_for_channel_type")
    if arguments.has("channel"):
        channel = visible_channel(workspace, arguments.text("channel"))
    else:
        if users[0] not in workspace.members:
            raise SlackError("user_not_found")
        channel = workspace.direct_message(users[0], workspace.settings.bot_user_id)
    is_whole = arguments.flag("return_im")
    body = channel.as_json(workspace.settings.bot_user_id) if is_whole else {"id": channel.id}
    return {"ok": True, "channel": body}


def _list(workspace: Workspace, arguments: Arguments, only_of: str | None) -> Json:
    kinds = {KINDS.get(kind.strip()) for kind in arguments.text("types", "public_channel").split(",")}
    if None in kinds:
        raise SlackError("invalid_types")
    bot = workspace.settings.bot_user_id
    channels = [
        channel
        for channel in workspace.channels.values()
        if channel.kind in kinds
        and (channel.kind == "public" or bot in channel.members)
        and (only_of is None or only_of in channel.members)
    ]
    page, cursor = arguments.page_of(channels)
    return {
        "ok": True,
        "channels": [channel.as_json(bot) for channel in page],
        "response_metadata": {"next_cursor": cursor},
    }


def _readable_channel(workspace: Workspace, arguments: Arguments) -> Channel:
    channel = visible_channel(workspace, arguments.required("channel"), "history")
    if workspace.settings.bot_user_id not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _is_between(message: Message, arguments: Arguments) -> bool:
    try:
        ts, oldest = float(message.ts), float(arguments.text("oldest") or 0)
        latest = float(arguments.text("latest") or "inf")
    except ValueError:
        raise SlackError("invalid_ts_oldest") from None
    if arguments.flag("inclusive"):
        return oldest <= ts <= latest
    return oldest < ts < latest


def _messages_json(
    workspace: Workspace, arguments: Arguments, channel: Channel, messages: list[Message], cursor: str
) -> Json:
    has_metadata = arguments.flag("include_all_metadata")
    return {
        "ok": True,
        "messages": [workspace.message_json(channel, message, has_metadata) for message in messages],
        "has_more": bool(cursor),
        "response_metadata": {"next_cursor": cursor},
    }
