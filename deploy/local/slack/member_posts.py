"""What members do without the app: post, edit, remove, react, share files, invite, read."""

from __future__ import annotations

from deploy.local.slack.entities import Channel, File, Json, Member, Message
from deploy.local.slack.errors import SlackError
from deploy.local.slack.events import send_event
from deploy.local.slack.files import complete_files, receive_content, start_file
from deploy.local.slack.messages import (
    change_message,
    delete_message,
    encode_text,
    post_ephemeral,
    post_message,
    thread_of,
)
from deploy.local.slack.reactions import add_reaction, remove_reaction
from deploy.local.slack.workspace import Workspace

MAX_TYPED_TEXT = 12_000


def post(
    workspace: Workspace,
    member: Member,
    channel: Channel,
    text: str,
    thread_ts: str | None = None,
    file_ids: list[str] | None = None,
    is_broadcast: bool = False,
) -> Message:
    """A member posts; `text` is as typed. Raises `SlackError`."""
    check_is_in(member, channel)
    if len(text) > MAX_TYPED_TEXT:
        raise SlackError("msg_too_long")
    files = [_own_file(workspace, member, file_id) for file_id in file_ids or []]
    if not text.strip() and not files:
        raise SlackError("no_text")
    parent_ts = thread_of(channel, thread_ts)
    encoded = encode_text(workspace, text)
    message = post_message(
        workspace,
        channel,
        member.id,
        encoded,
        thread_ts=parent_ts,
        files=[file.id for file in files],
        is_broadcast=bool(parent_ts) and is_broadcast,
    )
    app = workspace.app_member
    if f"<@{app.id}>" in encoded and app.id not in channel.members:
        hint = f"@{app.name} isn't in this channel, so it won't see this. To add it: `/invite @{app.name}`"
        post_ephemeral(workspace, channel, member.id, hint, thread_ts=parent_ts, sender="slackbot")
    return message


def edit(workspace: Workspace, member: Member, channel: Channel, ts: str, text: str) -> None:
    """A member changes what they said; raises `SlackError`."""
    message = _own_message(member, channel, ts, "cant_update_message")
    if not text.strip():
        raise SlackError("no_text")
    change_message(workspace, channel, message, member.id, is_edit=True, text=encode_text(workspace, text))


def remove(workspace: Workspace, member: Member, channel: Channel, ts: str) -> None:
    """A member removes their message, or an admin any; raises `SlackError`."""
    message = channel.messages.get(ts)
    if message is None or message.is_deleted:
        raise SlackError("message_not_found")
    if message.user != member.id and not member.is_admin:
        raise SlackError("cant_delete_message")
    delete_message(workspace, channel, message)


def react(workspace: Workspace, member: Member, channel: Channel, ts: str, name: str) -> None:
    """A member adds a reaction, or takes their own away; raises `SlackError`."""
    check_is_in(member, channel)
    message = channel.messages.get(ts)
    if message is None or message.is_deleted:
        raise SlackError("message_not_found")
    if member.id in message.reactions.get(name, []):
        remove_reaction(workspace, channel, message, member.id, name)
    else:
        add_reaction(workspace, channel, message, member.id, name)


def upload(workspace: Workspace, member: Member, filename: str, content: bytes, title: str = "") -> File:
    """A member uploads a file, for a message or a form; raises `SlackError`."""
    file = start_file(workspace, member.id, filename, len(content), title)
    receive_content(workspace, file.upload_token, content)
    complete_files(workspace, [file])
    return file


def invite(workspace: Workspace, channel: Channel, invited: Member, inviter: Member) -> None:
    """Add a member (or the app) to a channel, with the message and the event that Slack makes of it."""
    if channel.kind == "im":
        raise SlackError("method_not_supported_for_channel_type")
    if invited.id in channel.members:
        return
    check_is_in(inviter, channel)
    channel.members.append(invited.id)
    workspace.feed.announce("channel", {"channel": channel.id})
    text = f"<@{invited.id}> was added to the channel by <@{inviter.id}>."
    post_message(workspace, channel, invited.id, text, subtype="channel_join")
    event = {
        "type": "member_joined_channel",
        "user": invited.id,
        "channel": channel.id,
        "channel_type": "C" if channel.kind == "public" else "G",
        "team": workspace.settings.team_id,
        "inviter": inviter.id,
        "event_ts": workspace.new_ts(),
    }
    send_event(workspace, event, "member_joined_channel", channel)


def leave(workspace: Workspace, channel: Channel, member: Member) -> None:
    """Take a member (or the app) out of a channel."""
    if channel.kind == "im" or member.id not in channel.members:
        raise SlackError("not_in_channel")
    event = {
        "type": "member_left_channel",
        "user": member.id,
        "channel": channel.id,
        "channel_type": "C" if channel.kind == "public" else "G",
        "team": workspace.settings.team_id,
        "event_ts": workspace.new_ts(),
    }
    send_event(workspace, event, "member_left_channel", channel)
    channel.members.remove(member.id)
    workspace.feed.announce("channel", {"channel": channel.id})


def open_app_home(workspace: Workspace, member: Member, tab: str) -> None:
    """A member opens the app's home (`home`) or its direct message (`messages`)."""
    channel = workspace.direct_message(member.id, workspace.settings.bot_user_id)
    event: Json = {
        "type": "app_home_opened",
        "user": member.id,
        "channel": channel.id,
        "tab": tab,
        "event_ts": workspace.new_ts(),
    }
    if tab == "home" and member.id in workspace.homes:
        event["view"] = workspace.view_json(workspace.homes[member.id])
    send_event(workspace, event, "app_home_opened")


def check_is_in(member: Member, channel: Channel) -> None:
    """Raises `not_in_channel` when the member isn't."""
    if member.id not in channel.members:
        raise SlackError("not_in_channel")


def _own_file(workspace: Workspace, member: Member, file_id: str) -> File:
    file = workspace.files.get(file_id)
    if file is None or file.user != member.id or file.is_deleted:
        raise SlackError("file_not_found")
    return file


def _own_message(member: Member, channel: Channel, ts: str, error: str) -> Message:
    message = channel.messages.get(ts)
    if message is None or message.is_deleted:
        raise SlackError("message_not_found")
    if message.user != member.id:
        raise SlackError(error)
    return message
