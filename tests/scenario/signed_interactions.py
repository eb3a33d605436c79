"""Interactions that no client of Slack's would send, signed as Slack would sign them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

from commands.views.action_ids import ADMIN_CONFIRM
from deploy.local.slack.acting_member import ActingMember
from deploy.local.slack.client_types import Message
from tests.fakes.bot_workspace import SIGNING_SECRET, BotInWorkspace, proxy_event


def press_signed(
    bot: BotInWorkspace, place: Message, member: ActingMember, value: str, user: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Confirm below a preview, pressed by anybody and with any value; the proxy response."""
    payload = {
        "type": "block_actions",
        "team": {"id": bot.team, "domain": "acme"},
        "user": user or {"id": member.id, "team_id": bot.team},
        "container": {
            "type": "message",
            "channel_id": place.channel,
            "message_ts": place.ts,
            "is_ephemeral": True,
        },
        "channel": {"id": place.channel},
        "trigger_id": "1.2.x",
        "actions": [
            {"action_id": ADMIN_CONFIRM, "block_id": "b", "value": value, "action_ts": "2.1", "type": "button"}
        ],
    }
    return send_signed(bot, payload)


def send_signed(bot: BotInWorkspace, payload: dict[str, Any]) -> dict[str, Any]:
    """Any interaction; the proxy response."""
    body = urlencode({"payload": json.dumps(payload)})
    timestamp = str(int(time.time()))
    signature = hmac.new(SIGNING_SECRET.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": f"v0={signature}",
    }
    return bot.gateway.answer(proxy_event(body, headers))
