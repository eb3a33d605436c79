"""Interactions that no client of Slack's would send, signed as Slack would sign them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

from commands.views.action_ids import ADMIN_CONFIRM, IMAGINE_FORM
from commands.views.form import PROMPT, VALUE
from deploy.local.slack.acting_member import ActingMember
from deploy.local.slack.client_types import Message
from tests.fakes.bot_workspace import SIGNING_SECRET, BotInWorkspace, proxy_event


def press_signed(
    bot: BotInWorkspace, place: Message, member: ActingMember, value: str, user: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Confirm below a preview, pressed by anybody and with any value; the proxy response."""
    payload = press_payload(place, ADMIN_CONFIRM, value, team=bot.team, user=user or member.id)
    payload["container"]["is_ephemeral"] = True
    return send_signed(bot, payload)


def press_payload(
    place: Message, action_id: str, value: str, team: str | None, user: str | dict[str, Any], **facts: Any
) -> dict[str, Any]:
    """A press on a button below any message, with any id in it. A `user` who is only an id is of that team."""
    return {
        "type": "block_actions",
        "team": {"id": team} if team else None,
        "user": {"id": user, "team_id": team} if isinstance(user, str) else user,
        "container": {"type": "message", "channel_id": place.channel, "message_ts": place.ts},
        "channel": {"id": place.channel},
        "trigger_id": "1.2.x",
        "actions": [{"action_id": action_id, "block_id": "b", "value": value, "action_ts": "2.1", "type": "button"}],
        **facts,
    }


def submit_payload(team: str, member: str, metadata: dict[str, Any], prompt: str) -> dict[str, Any]:
    """A submitted form with any private metadata."""
    return {
        "type": "view_submission",
        "team": {"id": team},
        "user": {"id": member, "team_id": team},
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": IMAGINE_FORM,
            "private_metadata": json.dumps(metadata),
            "app_installed_team_id": team,
            "state": {"values": {PROMPT: {VALUE: {"type": "plain_text_input", "value": prompt}}}},
        },
    }


def send_signed(bot: BotInWorkspace, payload: dict[str, Any]) -> dict[str, Any]:
    """An interaction, signed by Slack as it were; the proxy response."""
    body, headers = signed_request(SIGNING_SECRET, payload)
    return bot.gateway.answer(proxy_event(body, headers))


def signed_request(signing_secret: str, payload: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Body and headers of an interaction."""
    body = urlencode({"payload": json.dumps(payload)})
    timestamp = str(int(time.time()))
    signature = hmac.new(signing_secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return body, {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": f"v0={signature}",
    }
