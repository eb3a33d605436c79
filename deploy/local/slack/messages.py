"""Posting, changing and removing messages; each tells the page and, where it subscribed, the app."""

from __future__ import annotations

import re
import time
from typing import Any

from deploy.local.slack.entities import Channel, Ephemeral, Json, Message
from deploy.local.slack.errors import SlackError
from deploy.local.slack.events import send_event
from deploy.local.slack.workspace import Workspace

MAX_EPHEMERALS = 500
MESSAGE_SUBSCRIPTIONS = {"public": "message.channels", "private": "message.groups", "im": "message.im"}


def thread_of(channel: Channel, thread_ts: str | None) -> str | None:
    """The ts of the thread's parent, for the ts of the parent or of any reply; raises `thread_not_found`."""
    if not thread_ts:
        return None
    message = channel.messages.get(str(thread_ts))
    if message is None:
        raise SlackError("thread_not_found")
    return message.thread_ts or message.ts


def post_message(workspace: Workspace, channel: Channel, user: str, text: str, **facts: Any) -> Message:
    """Post a message; `facts` are further fields of `Message`. Sends the message and mention events."""
    now = time.monotonic()
    message = Message(workspace.new_ts(), user, text, posted_monotonic=now, changed_monotonic=now, **facts)
    channel.messages[message.ts] = message
    channel.read[user] = message.ts
    for file_id in message.files:
        workspace.files[file_id].shares.append((channel.id, message.ts, message.thread_ts))
    if message.is_from_app:
        clear_status(workspace, channel, message.thread_ts or message.ts)
    _announce(workspace, "message", channel, message)
    event = workspace.message_json(channel, message, has_metadata=True) | {
        "channel": channel.id,
        "channel_type": channel.event_channel_type,
        "event_ts": message.ts,
    }
    sender = workspace.members.get(user)
    if sender is not None and sender.team_id:
        event |= {"team": sender.team_id, "user_team": sender.team_id, "source_team": sender.team_id}
    if message.files:
        event["subtype"] = "file_share"
    send_event(workspace, event, MESSAGE_SUBSCRIPTIONS[channel.kind], channel)
    if f"<@{workspace.settings.bot_user_id}>" in text and channel.kind != "im" and not message.is_from_app:
        mention = {key: value for key, value in event.items() if key not in {"subtype", "channel_type", "metadata"}}
        send_event(workspace, mention | {"type": "app_mention"}, "app_mention", channel)
    return message


def change_message(
    workspace: Workspace, channel: Channel, message: Message, user: str, is_edit: bool, **facts: Any
) -> None:
    """Change fields of a message; `is_edit` puts the edited mark on it."""
    previous = workspace.message_json(channel, message)
    for name, value in facts.items():
        setattr(message, name, value)
    message.changed_monotonic = time.monotonic()
    if is_edit:
        message.edited_ts, message.edited_by = workspace.new_ts(), user
    _announce(workspace, "message_changed", channel, message)
    event_ts = workspace.new_ts()
    event = {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "message": workspace.message_json(channel, message),
        "previous_message": previous,
        "channel": channel.id,
        "channel_type": channel.event_channel_type,
        "ts": event_ts,
        "event_ts": event_ts,
    }
    send_event(workspace, event, MESSAGE_SUBSCRIPTIONS[channel.kind], channel)


def delete_message(workspace: Workspace, channel: Channel, message: Message) -> None:
    """Remove a message; a parent with replies stays as a tombstone."""
    previous = workspace.message_json(channel, message)
    if message.thread_ts is None and channel.replies(message.ts):
        message.is_deleted = True
        message.changed_monotonic = time.monotonic()
        _announce(workspace, "message_changed", channel, message)
    else:
        del channel.messages[message.ts]
        body = {"channel": channel.id, "ts": message.ts, "thread_ts": message.thread_ts}
        workspace.feed.announce("message_deleted", body, _audience(channel))
        _announce_parent(workspace, channel, message)
    event_ts = workspace.new_ts()
    event = {
        "type": "message",
        "subtype": "message_deleted",
        "hidden": True,
        "deleted_ts": message.ts,
        "previous_message": previous,
        "channel": channel.id,
        "channel_type": channel.event_channel_type,
        "ts": event_ts,
        "event_ts": event_ts,
    }
    send_event(workspace, event, MESSAGE_SUBSCRIPTIONS[channel.kind], channel)


def post_ephemeral(workspace: Workspace, channel: Channel, user: str, text: str, **facts: Any) -> Ephemeral:
    """Show a message to one member; `facts` are further fields of `Ephemeral`."""
    ephemeral = Ephemeral(workspace.new_ts(), channel.id, user, text, posted_monotonic=time.monotonic(), **facts)
    workspace.ephemerals.append(ephemeral)
    del workspace.ephemerals[:-MAX_EPHEMERALS]
    workspace.feed.announce("ephemeral", workspace.ephemeral_json(ephemeral), [user])
    return ephemeral


def find_ephemeral(workspace: Workspace, ts: str, user: str) -> Ephemeral | None:
    """The ephemeral message with that ts, if this member still sees it."""
    return next((entry for entry in workspace.ephemerals if entry.ts == ts and entry.user == user), None)


def replace_ephemeral(workspace: Workspace, ephemeral: Ephemeral, text: str, blocks: list[Json]) -> None:
    """Change what an ephemeral message says."""
    ephemeral.text, ephemeral.blocks = text, blocks
    workspace.feed.announce("ephemeral_changed", workspace.ephemeral_json(ephemeral), [ephemeral.user])


def dismiss_ephemeral(workspace: Workspace, ephemeral: Ephemeral) -> None:
    """Take an ephemeral message away."""
    workspace.ephemerals.remove(ephemeral)
    body = {"channel": ephemeral.channel, "ts": ephemeral.ts}
    workspace.feed.announce("ephemeral_deleted", body, [ephemeral.user])


def clear_status(workspace: Workspace, channel: Channel, thread_ts: str) -> None:
    """Take away what the app said it is doing in a thread."""
    if workspace.statuses.pop((channel.id, thread_ts), None) is not None:
        body = {"channel": channel.id, "thread_ts": thread_ts, "status": ""}
        workspace.feed.announce("status", body, _audience(channel))


def announce_message_changed(workspace: Workspace, channel: Channel, message: Message) -> None:
    """Tell the page that a message looks different now (its files or reactions changed)."""
    message.changed_monotonic = time.monotonic()
    _announce(workspace, "message_changed", channel, message)


def encode_text(workspace: Workspace, text: str, has_labels: bool = False) -> str:
    """What a member typed, as Slack stores it: `&<>` escaped, @names, @groups, #channels, links in angle brackets."""
    names = {member.name.lower(): member for member in workspace.members.values()}
    names |= {member.real_name.lower(): member for member in workspace.members.values() if member.is_bot}
    channels = {channel.name: channel for channel in workspace.channels.values() if channel.kind == "public"}
    groups = {group.handle.lower(): group for group in workspace.usergroups.values()}
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def mention(match: re.Match[str]) -> str:
        member = names.get(match[1].lower().rstrip(".")) or names.get(match[1].lower())
        if member is None and match[1].lower() in groups:
            group = groups[match[1].lower()]
            return f"<!subteam^{group.id}|@{group.handle}>"
        if member is None:
            return match[0]
        rest = match[1][len(match[1].rstrip(".")) :] if match[1].lower() not in names else ""
        label = f"|{member.name}" if has_labels else ""
        return f"<@{member.id}{label}>{rest}"

    def channel_link(match: re.Match[str]) -> str:
        channel = channels.get(match[1])
        if channel is None:
            return match[0]
        return f"<#{channel.id}|{channel.name if has_labels else ''}>"

    escaped = re.sub(r"(?<![\w`@])@([A-Za-z0-9._\-]+)", mention, escaped)
    escaped = re.sub(r"(?<![\w`#&])#([a-z0-9_\-]+)", channel_link, escaped)
    return re.sub(r"(?<![<|\w])(https?://[^\s<>|]+)", r"<\1>", escaped)


def _audience(channel: Channel) -> list[str] | None:
    return None if channel.kind == "public" else channel.members


def _announce(workspace: Workspace, kind: str, channel: Channel, message: Message) -> None:
    body = {"channel": channel.id, "message": workspace.message_json(channel, message)}
    workspace.feed.announce(kind, body, _audience(channel))
    if kind == "message":
        _announce_parent(workspace, channel, message)


def _announce_parent(workspace: Workspace, channel: Channel, message: Message) -> None:
    parent = channel.messages.get(message.thread_ts) if message.thread_ts else None
    if parent is not None:
        body = {"channel": channel.id, "message": workspace.message_json(channel, parent)}
        workspace.feed.announce("message_changed", body, _audience(channel))
