"""The workspace: everything it holds, who is who, and how things look as Slack's JSON."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from deploy.local.slack.delivery import Deliverer
from deploy.local.slack.entities import Channel, Ephemeral, File, Json, Member, Message, UserGroup, View
from deploy.local.slack.errors import SlackError
from deploy.local.slack.faults import Faults
from deploy.local.slack.live import ChangeFeed
from deploy.local.slack.logbook import Logbook
from deploy.local.slack.rate_limits import RateLimits
from deploy.local.slack.settings import WorkspaceSettings
from deploy.local.slack.slack_app import SlackApp
from deploy.local.slack.tickets import ResponseUrls, Triggers

SLACKBOT_ID = "USLACKBOT"


@dataclass
class ThreadStatus:
    """What the app says it is doing in a thread (`assistant.threads.setStatus`)."""

    status: str
    ends_monotonic: float


class Workspace:
    """One Slack workspace in memory, with one app, of its own or shared with others. Used on one event loop only."""

    def __init__(self, settings: WorkspaceSettings, app: SlackApp | None = None) -> None:
        self.settings = settings
        self.app = app or SlackApp(settings)
        self.manifest = self.app.manifest
        self.base_url = ""
        self.verification_token = secrets.token_hex(12)
        self.run_id = secrets.token_hex(6)
        self.page_session = secrets.token_urlsafe(24)
        self.feed = ChangeFeed()
        self.faults = Faults()
        self.log = Logbook()
        self.deliverer = Deliverer(
            self.manifest,
            settings.request_url,
            self.app.signing_secret,
            settings.ack_seconds,
            self.faults,
            self.log,
        )
        self._last_ts = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.start_over()

    def start_over(self) -> None:
        """Forget everything that happened: all is as at the start, but for the app's URL."""
        settings = self.settings
        for task in self._tasks:
            task.cancel()
        self.app.add(self)
        self.file_processing_seconds = settings.file_processing_seconds
        self.faults.clear()
        self.log.clear()
        self.limits = RateLimits(settings.rate_limit_factor)
        self.triggers = Triggers(settings.trigger_seconds)
        self.response_urls = ResponseUrls(settings.time_scale)
        self.members: dict[str, Member] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.files_given_to_app: set[str] = set()
        self.ephemerals: list[Ephemeral] = []
        self.modals: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}
        self.usergroups: dict[str, UserGroup] = {}
        self.statuses: dict[tuple[str, str], ThreadStatus] = {}
        self._last_id = 0
        self._seed()
        self.feed.announce("app", {})

    # Ids and times

    def new_id(self, prefix: str) -> str:
        """A new id such as `C0EA000001`; ids repeat only after `start_over`."""
        self._last_id += 1
        digits, number = "", self._last_id
        while number:
            number, rest = divmod(number, 36)
            digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rest] + digits
        return f"{prefix}{self.settings.id_tag}{digits:0>6}"

    def new_ts(self) -> str:
        """A message timestamp: the time, unique and rising."""
        self._last_ts = max(time.time_ns() // 1000, self._last_ts + 1)
        return f"{self._last_ts // 10**6}.{self._last_ts % 10**6:06d}"

    def run_later(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside; it is cancelled when the workspace stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Cancel what runs beside and let every reader go."""
        self.feed.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.deliverer.close()

    # Who and where

    @property
    def is_installed(self) -> bool:
        """Whether the app is installed here, or in the whole organisation."""
        return self.app.place_serving(self) is not None

    @property
    def is_served_org_wide(self) -> bool:
        """Whether it is the organisation's installation that serves this workspace."""
        place = self.app.place_serving(self)
        return place is not None and place != self.settings.team_id

    @property
    def app_member(self) -> Member:
        """The app's bot user."""
        return self.members[self.settings.bot_user_id]

    def member(self, name_or_id: str) -> Member:
        """A member by id, name or `@name`; raises `SlackError('user_not_found')`."""
        wanted = name_or_id.removeprefix("@")
        if wanted in self.members:
            return self.members[wanted]
        for member in self.members.values():
            if member.name.lower() == wanted.lower():
                return member
        raise SlackError("user_not_found")

    def channel(self, channel_id: str) -> Channel:
        """A channel by id; raises `SlackError('channel_not_found')`."""
        if channel_id not in self.channels:
            raise SlackError("channel_not_found")
        return self.channels[channel_id]

    def channel_for_member(self, name_or_id: str, member_id: str) -> Channel:
        """A channel by id, `#name` or `@name` (the direct message with them), as this member may see it."""
        if name_or_id.startswith("@"):
            return self.direct_message(member_id, self.member(name_or_id).id)
        if name_or_id in self.members:
            return self.direct_message(member_id, name_or_id)
        wanted = name_or_id.removeprefix("#")
        can_look = not self.members[member_id].is_guest
        for channel in self.channels.values():
            is_visible = member_id in channel.members or (channel.kind == "public" and can_look)
            if wanted in {channel.id, channel.name} and is_visible:
                return channel
        raise SlackError("channel_not_found")

    def expects_upload(self, upload_token: str) -> bool:
        """Whether bytes are awaited under this token."""
        return any(file.upload_token == upload_token for file in self.files.values())

    def direct_message(self, one: str, other: str) -> Channel:
        """The direct message of two members, made when they have none yet."""
        for channel in self.channels.values():
            if channel.kind == "im" and set(channel.members) == {one, other}:
                return channel
        channel = Channel(self.new_id("D"), "", "im", one, int(time.time()), list({one, other}))
        self.channels[channel.id] = channel
        self.feed.announce("channel", {"channel": channel.id}, channel.members)
        return channel

    def add_channel(self, name: str, creator: str, members: list[str], purpose: str, is_private: bool) -> Channel:
        """A new channel; raises `SlackError('name_taken')` or `invalid_name`."""
        if not re.fullmatch(r"[a-z0-9_\-]{1,80}", name):
            raise SlackError("invalid_name")
        if any(channel.name == name for channel in self.channels.values()):
            raise SlackError("name_taken")
        kind = "private" if is_private else "public"
        channel = Channel(
            self.new_id("C"), name, kind, creator, int(time.time()), list(dict.fromkeys(members)), purpose
        )
        self.channels[channel.id] = channel
        self.feed.announce("channel", {"channel": channel.id})
        return channel

    def add_member(self, name: str, real_name: str, **facts: Any) -> Member:
        """A new member; raises `SlackError('name_taken')` or `invalid_name`."""
        if not re.fullmatch(r"[a-z0-9._\-]{1,30}", name):
            raise SlackError("invalid_name")
        if any(member.name == name for member in self.members.values()):
            raise SlackError("name_taken")
        member = Member(self.new_id("U"), name, real_name, **facts)
        self.members[member.id] = member
        if self.settings.bot_user_id in self.members:
            self.direct_message(member.id, self.settings.bot_user_id)
        self.feed.announce("member", {"member": member.id})
        return member

    def is_shared(self, channel_id: str) -> bool:
        """Whether members of other companies are in the channel."""
        channel = self.channels.get(channel_id)
        return channel is not None and any(self.members[one].team_id for one in channel.members if one in self.members)

    # What they look like as JSON

    def enterprise_json(self) -> Json | None:
        """The organisation, or None."""
        settings = self.settings
        return {"id": settings.enterprise_id, "name": settings.enterprise_name} if settings.enterprise_id else None

    def member_json(self, member: Member) -> Json:
        """The user object."""
        body = member.as_json(self.settings.team_id, self.settings.app_id, self.settings.bot_id)
        if "users:read.email" not in self.manifest.bot_scopes:
            body["profile"].pop("email", None)
        return body

    def view_json(self, view: View) -> Json:
        """The view object."""
        settings = self.settings
        installed_in = (settings.enterprise_id if self.is_served_org_wide else None) or settings.team_id
        return view.as_json(settings.team_id, settings.app_id, settings.bot_id, installed_in)

    def bot_json(self) -> Json:
        """The bot object (`bots.info`)."""
        return {
            "id": self.settings.bot_id,
            "app_id": self.settings.app_id,
            "user_id": self.settings.bot_user_id,
            "name": self.manifest.bot_display_name,
            "icons": {},
            "deleted": False,
            "updated": 0,
            "team_id": self.settings.team_id,
        }

    def file_json(self, file: File) -> Json:
        """The file object; while it is being processed it has no mimetype, as in Slack."""
        if file.is_deleted:
            return {"id": file.id, "mode": "tombstone"}
        path = f"{self.base_url}/files-pri/{self.settings.team_id}-{file.id}"
        body: Json = {
            "id": file.id,
            "created": file.created,
            "timestamp": file.created,
            "name": file.name,
            "title": file.title,
            "mimetype": file.mimetype,
            "filetype": file.filetype,
            "pretty_type": file.filetype.upper(),
            "user": file.user,
            "user_team": self.settings.team_id,
            "editable": False,
            "size": file.size,
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "is_public": any(self.channels[share[0]].kind == "public" for share in file.shares),
            "public_url_shared": False,
            "url_private": f"{path}/{file.nonce}",
            "url_private_download": f"{path}/download/{file.nonce}",
            "permalink": f"{self.base_url}/files/{file.user}/{file.id}",
            "channels": [share[0] for share in file.shares if self.channels[share[0]].kind == "public"],
            "groups": [share[0] for share in file.shares if self.channels[share[0]].kind == "private"],
            "ims": [share[0] for share in file.shares if self.channels[share[0]].kind == "im"],
            "shares": {},
            "has_rich_preview": False,
            "file_access": "visible",
        }
        if file.alt_txt:
            body["alt_txt"] = file.alt_txt
        if file.is_picture:
            body |= {"original_w": file.width, "original_h": file.height}
        for channel_id, ts, thread_ts in file.shares:
            kind = "public" if self.channels[channel_id].kind == "public" else "private"
            share: Json = {"ts": ts, "reply_users": [], "reply_users_count": 0, "reply_count": 0}
            if thread_ts:
                share["thread_ts"] = thread_ts
            body["shares"].setdefault(kind, {}).setdefault(channel_id, []).append(share)
        return body

    def message_json(self, channel: Channel, message: Message, has_metadata: bool = False) -> Json:
        """The message object."""
        if message.is_deleted:
            return {
                "type": "message",
                "subtype": "tombstone",
                "text": "This message was deleted.",
                "user": SLACKBOT_ID,
                "hidden": True,
                "ts": message.ts,
                "thread_ts": message.ts,
            } | self._thread_json(channel, message)
        body: Json = {
            "type": "message",
            "user": message.user,
            "text": message.text,
            "ts": message.ts,
            "team": self.settings.team_id,
        }
        if message.subtype or message.is_broadcast:
            body["subtype"] = message.subtype or "thread_broadcast"
        if message.is_from_app:
            bot_profile = self.bot_json()
            body |= {"bot_id": self.settings.bot_id, "app_id": self.settings.app_id, "bot_profile": bot_profile}
        if message.username:
            body["username"] = message.username
        if message.icon_emoji:
            body["icons"] = {"emoji": message.icon_emoji}
        if message.blocks:
            body["blocks"] = message.blocks
        if message.attachments:
            body["attachments"] = message.attachments
        if message.files:
            body["files"] = [self.file_json(self.files[file_id]) for file_id in message.files]
            body["upload"] = False
        if message.edited_ts:
            body["edited"] = {"user": message.edited_by, "ts": message.edited_ts}
        if message.reactions:
            body["reactions"] = [
                {"name": name, "users": users, "count": len(users)} for name, users in message.reactions.items()
            ]
        if message.thread_ts:
            parent = channel.messages.get(message.thread_ts)
            body |= {"thread_ts": message.thread_ts, "parent_user_id": parent.user if parent else ""}
        if has_metadata and message.metadata:
            body["metadata"] = message.metadata
        return body | self._thread_json(channel, message)

    def ephemeral_json(self, ephemeral: Ephemeral) -> Json:
        """An ephemeral message as the page and scripts get it."""
        body: Json = {
            "type": "message",
            "subtype": "ephemeral",
            "is_ephemeral": True,
            "ts": ephemeral.ts,
            "channel": ephemeral.channel,
            "text": ephemeral.text,
            "user": self.settings.bot_user_id if ephemeral.sender == "app" else SLACKBOT_ID,
            "posted_monotonic": ephemeral.posted_monotonic,
        }
        if ephemeral.sender == "app":
            body |= {"bot_id": self.settings.bot_id, "app_id": self.settings.app_id}
        if ephemeral.blocks:
            body["blocks"] = ephemeral.blocks
        if ephemeral.thread_ts:
            body["thread_ts"] = ephemeral.thread_ts
        return body

    def _thread_json(self, channel: Channel, message: Message) -> Json:
        replies = channel.replies(message.ts)
        if not replies or message.thread_ts:
            return {}
        users = list(dict.fromkeys(reply.user for reply in replies))
        return {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users_count": len(users),
            "latest_reply": replies[-1].ts,
            "reply_users": users[:5],
            "is_locked": False,
        }

    def _seed(self) -> None:
        settings = self.settings
        bot_name = self.manifest.bot_display_name
        handle = re.sub(r"[^a-z0-9._\-]", "", bot_name.lower().replace(" ", "_")) or "app"
        self.members[settings.bot_user_id] = Member(settings.bot_user_id, handle, bot_name, is_bot=True)
        for seed in settings.members:
            self.add_member(seed.name, seed.real_name, is_admin=seed.is_admin, is_guest=seed.is_guest, title=seed.title)
        people = [member for member in self.members.values() if not member.is_bot]
        if not people:
            return
        for channel in settings.channels:
            if channel.members is None:
                members = [member.id for member in people if not member.is_guest]
            else:
                members = [self.member(name).id for name in channel.members]
            if channel.has_app:
                members.append(settings.bot_user_id)
            self.add_channel(channel.name, people[0].id, members, channel.purpose, channel.is_private)
