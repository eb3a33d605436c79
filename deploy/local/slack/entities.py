"""What a workspace is made of: members, channels, messages, files, views."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Member:
    """A person, or the app's bot user. `team_id` is the workspace of somebody of another company, who is here in a
    shared channel; empty for this one's own.
    """

    id: str
    name: str
    real_name: str
    is_bot: bool = False
    is_admin: bool = False
    is_guest: bool = False
    title: str = ""
    team_id: str = ""

    def as_json(self, team_id: str, app_id: str, bot_id: str) -> Json:
        """The user object that `users.info` answers."""
        team_id = self.team_id or team_id
        profile: Json = {
            "real_name": self.real_name,
            "display_name": self.name,
            "real_name_normalized": self.real_name,
            "display_name_normalized": self.name,
            "title": self.title,
            "email": f"{self.name}@example.com",
            "team": team_id,
        }
        if self.is_bot:
            profile |= {"api_app_id": app_id, "bot_id": bot_id}
            del profile["email"]
        return {
            "id": self.id,
            "team_id": team_id,
            "name": self.name,
            "deleted": False,
            "real_name": self.real_name,
            "tz": "Europe/London",
            "tz_label": "Greenwich Mean Time",
            "tz_offset": 0,
            "profile": profile,
            "is_admin": self.is_admin,
            "is_owner": self.is_admin,
            "is_primary_owner": False,
            "is_restricted": self.is_guest,
            "is_ultra_restricted": False,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "is_stranger": bool(self.team_id),
            "updated": 0,
        }


@dataclass
class Message:
    """A message in a channel. `files` are file ids; `thread_ts` is the parent's ts, on the parent itself None."""

    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    is_from_app: bool = False
    metadata: Json | None = None
    files: list[str] = field(default_factory=list)
    subtype: str | None = None
    edited_ts: str | None = None
    edited_by: str | None = None
    is_broadcast: bool = False
    username: str | None = None
    icon_emoji: str | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    is_deleted: bool = False
    posted_monotonic: float = 0.0
    changed_monotonic: float = 0.0


@dataclass
class Channel:
    """A public or private channel, or a direct message. `kind` is `public`, `private` or `im`."""

    id: str
    name: str
    kind: str
    creator: str
    created: int
    members: list[str]
    purpose: str = ""
    messages: dict[str, Message] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)

    @property
    def event_channel_type(self) -> str:
        """The `channel_type` that message events carry."""
        return {"public": "channel", "private": "group", "im": "im"}[self.kind]

    def replies(self, thread_ts: str) -> list[Message]:
        """The replies in a thread, oldest first, without the parent."""
        return [message for message in self.messages.values() if message.thread_ts == thread_ts]

    def top_level(self) -> list[Message]:
        """What the channel's own message list shows, oldest first."""
        return [m for m in self.messages.values() if m.thread_ts is None or m.is_broadcast]

    def as_json(self, for_member: str) -> Json:
        """The conversation object that `conversations.info` answers to this member."""
        if self.kind == "im":
            other = next((member for member in self.members if member != for_member), for_member)
            return {
                "id": self.id,
                "created": self.created,
                "is_im": True,
                "is_org_shared": False,
                "user": other,
                "is_archived": False,
                "is_open": True,
                "priority": 0,
            }
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": self.kind == "public",
            "is_group": self.kind == "private",
            "is_im": False,
            "is_mpim": False,
            "is_private": self.kind == "private",
            "is_archived": False,
            "is_general": self.name == "general",
            "is_shared": False,
            "is_ext_shared": False,
            "is_org_shared": False,
            "is_member": for_member in self.members,
            "created": self.created,
            "creator": self.creator,
            "topic": {"value": "", "creator": "", "last_set": 0},
            "purpose": {"value": self.purpose, "creator": self.creator, "last_set": self.created},
            "num_members": len(self.members),
        }


@dataclass
class Ephemeral:
    """A message that one member alone sees. `sender` is `app` or `slackbot`."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    sender: str = "app"
    command: str | None = None
    posted_monotonic: float = 0.0


@dataclass
class File:
    """An uploaded file. Until `is_processed`, Slack knows no mimetype of it and won't show it in a block.

    `nonce` makes its address new, so that no browser shows what it kept of another run's file with the same id.
    """

    id: str
    name: str
    title: str
    user: str
    size: int
    created: int
    alt_txt: str | None = None
    content: bytes | None = field(default=None, repr=False)
    mimetype: str = ""
    filetype: str = ""
    width: int = 0
    height: int = 0
    is_complete: bool = False
    is_processed: bool = False
    is_deleted: bool = False
    shares: list[tuple[str, str, str | None]] = field(default_factory=list)
    nonce: str = field(default_factory=lambda: secrets.token_hex(5))
    upload_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def is_picture(self) -> bool:
        """Whether Slack would show it in an image block."""
        return self.is_processed and self.mimetype in {"image/png", "image/jpeg", "image/gif"}


@dataclass
class View:
    """A modal in a member's stack, or the member's home tab of the app."""

    id: str
    user: str
    payload: Json
    hash: str
    root_view_id: str
    previous_view_id: str | None = None
    state: Json = field(default_factory=dict)

    @property
    def external_id(self) -> str:
        """The app's own id for it, or an empty text."""
        return self.payload.get("external_id") or ""

    def as_json(self, team_id: str, app_id: str, bot_id: str, installed_in: str) -> Json:
        """The view object that `views.open` answers and interactions carry."""
        payload = self.payload
        return {
            "id": self.id,
            "team_id": team_id,
            "type": payload["type"],
            "blocks": payload["blocks"],
            "private_metadata": payload.get("private_metadata", ""),
            "callback_id": payload.get("callback_id", ""),
            "state": {"values": self.state},
            "hash": self.hash,
            "title": payload.get("title", {"type": "plain_text", "text": "View Title", "emoji": True}),
            "clear_on_close": payload.get("clear_on_close", False),
            "notify_on_close": payload.get("notify_on_close", False),
            "close": payload.get("close"),
            "submit": payload.get("submit"),
            "submit_disabled": payload.get("submit_disabled", False),
            "previous_view_id": self.previous_view_id,
            "root_view_id": self.root_view_id,
            "app_id": app_id,
            "external_id": self.external_id,
            "app_installed_team_id": installed_in,
            "bot_id": bot_id,
        }


@dataclass
class UserGroup:
    """A user group (`@handle`)."""

    id: str
    handle: str
    name: str
    users: list[str]

    def as_json(self, team_id: str, with_users: bool) -> Json:
        """The object that `usergroups.list` answers."""
        body: Json = {
            "id": self.id,
            "team_id": team_id,
            "is_usergroup": True,
            "is_subteam": True,
            "name": self.name,
            "handle": self.handle,
            "is_external": False,
            "date_delete": 0,
            "user_count": len(self.users),
        }
        return body | {"users": self.users} if with_users else body
