"""Reactions to messages."""

from __future__ import annotations

from deploy.local.slack.entities import Channel, Message
from deploy.local.slack.errors import SlackError
from deploy.local.slack.events import send_event
from deploy.local.slack.messages import announce_message_changed
from deploy.local.slack.workspace import Workspace


def add_reaction(workspace: Workspace, channel: Channel, message: Message, user: str, name: str) -> None:
    """Add a member's reaction; raises `already_reacted`."""
    users = message.reactions.setdefault(name, [])
    if user in users:
        raise SlackError("already_reacted")
    users.append(user)
    _tell(workspace, "reaction_added", channel, message, user, name)


def remove_reaction(workspace: Workspace, channel: Channel, message: Message, user: str, name: str) -> None:
    """Take a member's reaction away; raises `no_reaction`."""
    users = message.reactions.get(name, [])
    if user not in users:
        raise SlackError("no_reaction")
    users.remove(user)
    if not users:
        del message.reactions[name]
    _tell(workspace, "reaction_removed", channel, message, user, name)


def _tell(workspace: Workspace, kind: str, channel: Channel, message: Message, user: str, name: str) -> None:
    announce_message_changed(workspace, channel, message)
    event = {
        "type": kind,
        "user": user,
        "reaction": name,
        "item_user": message.user,
        "item": {"type": "message", "channel": channel.id, "ts": message.ts},
        "event_ts": workspace.new_ts(),
    }
    send_event(workspace, event, kind, channel)
