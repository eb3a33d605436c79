"""Slash commands: the signed form to the app, and what the member sees of its answer."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from deploy.local.slack.entities import Channel, Json, Member
from deploy.local.slack.errors import SlackError
from deploy.local.slack.logbook import Delivery
from deploy.local.slack.member_posts import invite
from deploy.local.slack.messages import encode_text, post_ephemeral, post_message
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.web_api.chat import read_content
from deploy.local.slack.web_api.response_urls import show_response
from deploy.local.slack.workspace import Workspace

IN_THREAD = "{command} is not supported in threads. Sorry!"
UNKNOWN = (
    "{command} is not a valid command. In case you want to send a message that starts with a slash, "
    "put a space in front of it."
)
FAILED = '{command} failed with the error "{error}"'


async def run_command(
    workspace: Workspace, member: Member, channel: Channel, line: str, thread_ts: str | None = None
) -> Json:
    """A member typed a slash command; returns when it is acknowledged or has failed.

    The answer has `ok`, `error` (Slack's code or None), `text` (what the member was shown of an error) and `delivery`.
    """
    command, _, text = line.strip().partition(" ")
    if thread_ts:
        return _say(
            workspace, member, channel, "not_supported_in_threads", IN_THREAD.format(command=command), thread_ts
        )
    if command == "/invite":
        return _run_invite(workspace, member, channel, text)
    entry = workspace.manifest.slash_command(command)
    # Another company's members have the commands of the apps in their own workspace.
    if entry is None or not workspace.is_installed or member.team_id:
        return _say(workspace, member, channel, "unknown_command", UNKNOWN.format(command=command))
    url = workspace.response_urls.make(member.id, channel.id)
    form = {
        "token": workspace.verification_token,
        "team_id": workspace.settings.team_id,
        "team_domain": workspace.settings.team_domain,
        "channel_id": channel.id,
        "channel_name": {"im": "directmessage", "private": "privategroup"}.get(channel.kind, channel.name),
        "user_id": member.id,
        "user_name": member.name,
        "command": command,
        "text": encode_text(workspace, text.strip(), has_labels=True) if entry.should_escape else text.strip(),
        "api_app_id": workspace.settings.app_id,
        "is_enterprise_install": str(workspace.is_served_org_wide).lower(),
        **{f"enterprise_{key}": value for key, value in (workspace.enterprise_json() or {}).items()},
        "response_url": f"{workspace.base_url}/commands/{workspace.settings.team_id}/{url.secret}",
        "trigger_id": workspace.triggers.make(member.id),
    }
    delivery = await workspace.deliverer.deliver("command", command, entry.url, urlencode(form))
    if not delivery.is_acked:
        error = "operation_timeout" if delivery.outcome == "timeout" else "dispatch_failed"
        failure = FAILED.format(command=command, error=error)
        return _say(workspace, member, channel, error, failure, delivery=delivery)
    return _show_ack(workspace, member, channel, line.strip(), delivery)


def _show_ack(workspace: Workspace, member: Member, channel: Channel, line: str, delivery: Delivery) -> Json:
    body = delivery.response_body.strip()
    answer: Json = {"ok": True, "error": None, "text": "", "delivery": delivery.id}
    if not body:
        return answer
    payload: Json = {"text": delivery.response_body}
    if body.startswith("{") or "json" in delivery.response_headers.get("content-type", ""):
        try:
            parsed = json.loads(body)
            payload = parsed if isinstance(parsed, dict) else {"text": str(parsed)}
        except json.JSONDecodeError:
            pass
    try:
        content = read_content(workspace, Arguments(payload))
    except SlackError as error:
        failure = FAILED.format(command=line.partition(" ")[0], error=error.code)
        return _say(workspace, member, channel, error.code, failure, delivery=delivery)
    if content["text"] or content["blocks"]:
        if payload.get("response_type") == "in_channel":
            post_message(workspace, channel, member.id, encode_text(workspace, line))
        show_response(workspace, channel, member.id, payload, content)
    return answer


def _run_invite(workspace: Workspace, member: Member, channel: Channel, text: str) -> Json:
    try:
        invited = workspace.member(text.strip())
        invite(workspace, channel, invited, inviter=member)
    except SlackError:
        return _say(workspace, member, channel, "user_not_found", f"I can't find {text.strip() or 'nobody'} to invite.")
    return {"ok": True, "error": None, "text": "", "delivery": None}


def _say(
    workspace: Workspace,
    member: Member,
    channel: Channel,
    error: str,
    text: str,
    thread_ts: str | None = None,
    delivery: Delivery | None = None,
) -> Json:
    post_ephemeral(workspace, channel, member.id, text, thread_ts=thread_ts, sender="slackbot")
    return {"ok": False, "error": error, "text": text, "delivery": delivery.id if delivery else None}
