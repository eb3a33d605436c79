"""What a member sees, whole: for the page's first look and for scripts."""

from __future__ import annotations

from deploy.local.slack.entities import Channel, Json, Member, Message
from deploy.local.slack.workspace import Workspace


def member_state(workspace: Workspace, member: Member) -> Json:
    """Everything the page needs but the messages."""
    settings, manifest = workspace.settings, workspace.manifest
    visible = [
        channel
        for channel in workspace.channels.values()
        if member.id in channel.members or (channel.kind == "public" and not member.is_guest)
    ]
    home = workspace.homes.get(member.id)
    return {
        "number": workspace.feed.number,
        "run": workspace.run_id,
        "me": member.id,
        "team": {"id": settings.team_id, "name": settings.team_name, "domain": settings.team_domain},
        "app": {
            "id": settings.app_id,
            "name": manifest.name,
            "description": manifest.description,
            "color": manifest.background_color,
            "bot_user_id": settings.bot_user_id,
            "has_home": manifest.home_tab_enabled,
            "has_address": bool(workspace.deliverer.request_url or manifest.interactivity_url),
            "commands": [
                {"command": entry.command, "description": entry.description, "usage_hint": entry.usage_hint}
                for entry in manifest.slash_commands
                if workspace.is_installed
            ],
            "shortcuts": [
                {
                    "name": entry.name,
                    "type": entry.type,
                    "callback_id": entry.callback_id,
                    "description": entry.description,
                }
                for entry in manifest.shortcuts
                if workspace.is_installed
            ],
        },
        "members": [workspace.member_json(other) for other in workspace.members.values()],
        "channels": [channel_json(workspace, member, channel) for channel in visible],
        "ephemerals": [workspace.ephemeral_json(entry) for entry in workspace.ephemerals if entry.user == member.id],
        "views": [workspace.view_json(view) for view in workspace.modals.get(member.id) or []],
        "home": workspace.view_json(home) if home else None,
        "statuses": [
            {"channel": channel_id, "thread_ts": thread_ts, "status": status.status}
            for (channel_id, thread_ts), status in workspace.statuses.items()
            if any(channel.id == channel_id for channel in visible)
        ],
    }


def channel_json(workspace: Workspace, member: Member, channel: Channel) -> Json:
    """A channel as a member sees it in the sidebar."""
    read = channel.read.get(member.id, "")
    unread = [m for m in channel.top_level() if m.ts > read and m.user != member.id and not m.is_deleted]
    latest = next(reversed(channel.messages), "")
    return channel.as_json(member.id) | {
        "kind": channel.kind,
        "members": channel.members,
        "unread": len(unread),
        "latest": latest,
        "last_read": read,
    }


def messages_of(workspace: Workspace, member: Member, channel: Channel, thread_ts: str | None) -> list[Json]:
    """The messages of a channel (oldest first), or a thread's parent and replies, with the member's ephemeral ones."""
    if thread_ts:
        shown = [m for m in channel.messages.values() if m.ts == thread_ts or m.thread_ts == thread_ts]
    else:
        shown = channel.top_level()
    messages = [message_for_script(workspace, channel, message) for message in shown]
    messages += [
        workspace.ephemeral_json(entry)
        for entry in workspace.ephemerals
        if entry.user == member.id and entry.channel == channel.id and entry.thread_ts == (thread_ts or None)
    ]
    return sorted(messages, key=lambda message: message["ts"])


def message_for_script(workspace: Workspace, channel: Channel, message: Message) -> Json:
    """A message with its metadata and the (monotonic) times at which it was posted and last changed."""
    return workspace.message_json(channel, message, has_metadata=True) | {
        "channel": channel.id,
        "posted_monotonic": message.posted_monotonic,
        "changed_monotonic": message.changed_monotonic,
    }
