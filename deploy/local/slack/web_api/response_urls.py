"""What the app may do with a response URL: answer, replace or remove the message it came from."""

from __future__ import annotations

from typing import Any

from deploy.local.slack.entities import Channel, Json
from deploy.local.slack.errors import SlackError
from deploy.local.slack.messages import (
    change_message,
    delete_message,
    dismiss_ephemeral,
    find_ephemeral,
    post_ephemeral,
    post_message,
    replace_ephemeral,
)
from deploy.local.slack.tickets import ResponseUrl
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.web_api.chat import read_content
from deploy.local.slack.workspace import Workspace


def answer_response_url(workspace: Workspace, secret: str, payload: Json) -> None:
    """Do what the app posted to a response URL; raises `SlackError`."""
    url = workspace.response_urls.find(secret)
    channel = workspace.channel(url.channel)
    content = read_content(workspace, Arguments(payload))
    if not payload.get("delete_original") and not content["text"] and not content["blocks"]:
        raise SlackError("no_text")
    url.use()
    if payload.get("delete_original"):
        _delete_original(workspace, channel, url)
    elif payload.get("replace_original") and url.message_ts:
        _replace_original(workspace, channel, url, content)
    else:
        show_response(workspace, channel, url.user, payload, content, url.thread_ts)


def show_response(
    workspace: Workspace, channel: Channel, user: str, payload: Json, content: Json, thread_ts: str | None = None
) -> None:
    """Show an answer to a member (`response_type` ephemeral, the default) or to the channel (`in_channel`)."""
    thread_ts = payload.get("thread_ts") or thread_ts
    facts: dict[str, Any] = {"blocks": content["blocks"] or [], "thread_ts": thread_ts}
    if payload.get("response_type") == "in_channel":
        facts["attachments"] = content["attachments"] or []
        post_message(workspace, channel, workspace.settings.bot_user_id, content["text"], is_from_app=True, **facts)
    else:
        post_ephemeral(workspace, channel, user, content["text"], **facts)


def _delete_original(workspace: Workspace, channel: Channel, url: ResponseUrl) -> None:
    if url.is_message_ephemeral:
        ephemeral = find_ephemeral(workspace, url.message_ts or "", url.user)
        if ephemeral is not None:
            dismiss_ephemeral(workspace, ephemeral)
        return
    message = channel.messages.get(url.message_ts or "")
    if message is None or not message.is_from_app:
        raise SlackError("message_not_found")
    delete_message(workspace, channel, message)


def _replace_original(workspace: Workspace, channel: Channel, url: ResponseUrl, content: Json) -> None:
    if url.is_message_ephemeral:
        ephemeral = find_ephemeral(workspace, url.message_ts or "", url.user)
        if ephemeral is None:
            post_ephemeral(workspace, channel, url.user, content["text"], blocks=content["blocks"] or [])
        else:
            replace_ephemeral(workspace, ephemeral, content["text"], content["blocks"] or [])
        return
    message = channel.messages.get(url.message_ts or "")
    if message is None or not message.is_from_app:
        raise SlackError("message_not_found")
    facts = {"text": content["text"], "blocks": content["blocks"] or []}
    change_message(workspace, channel, message, message.user, is_edit=not facts["blocks"], **facts)
