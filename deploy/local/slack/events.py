"""Events API: what the app subscribed to, in its envelope, with Slack's three retries."""

from __future__ import annotations

import asyncio
import json
import secrets
import time

from deploy.local.slack.entities import Channel, Json
from deploy.local.slack.logbook import Delivery
from deploy.local.slack.workspace import Workspace

RETRY_WAITS_SECONDS = (0.0, 60.0, 300.0)
RETRY_REASONS = {"timeout": "http_timeout", "http_error": "http_error", "connection_failed": "connection_failed"}


def send_event(workspace: Workspace, event: Json, subscription: str, channel: Channel | None = None) -> None:
    """Send an event, beside everything else, if the app is installed, subscribed to it and is where it happened.

    `subscription` is the name in the manifest's `bot_events`, such as `message.channels`.
    """
    if subscription not in workspace.manifest.bot_events or not workspace.is_installed:
        return
    if channel is not None and workspace.settings.bot_user_id not in channel.members:
        return
    workspace.run_later(deliver_event(workspace, event))


def send_last_events(workspace: Workspace, order: list[str], is_org_wide: bool) -> None:
    """Tell the app that it was taken out, or lost its tokens: `app_uninstalled`, `tokens_revoked`, in this order.

    Of an organisation's installation they name no workspace.
    """
    for kind in order:
        event: Json = {"type": kind}
        if kind == "tokens_revoked":
            event["tokens"] = {"oauth": [], "bot": [workspace.settings.bot_user_id]}
        # When it happened, however long it takes to arrive; and no authorization: there is none any more.
        facts: Json = {"event_time": int(time.time()), "authorizations": []}
        if is_org_wide:
            facts |= {"team_id": None, "context_team_id": None, "enterprise_id": workspace.settings.enterprise_id}
        if kind in workspace.manifest.bot_events:
            workspace.run_later(deliver_event(workspace, event, facts))


async def deliver_event(workspace: Workspace, event: Json, facts: Json | None = None) -> list[Delivery]:
    """Deliver an event now, again when it isn't acknowledged; returns every attempt. `facts` are for its envelope."""
    settings = workspace.settings
    is_org_wide = workspace.is_served_org_wide
    envelope = {
        "token": workspace.verification_token,
        "team_id": settings.team_id,
        "context_team_id": settings.team_id,
        "context_enterprise_id": settings.enterprise_id,
        "api_app_id": settings.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{secrets.token_hex(5).upper()}",
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": settings.enterprise_id,
                "team_id": None if is_org_wide else settings.team_id,
                "user_id": settings.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": is_org_wide,
            }
        ],
        "is_ext_shared_channel": workspace.is_shared(str(event.get("channel"))),
        "event_context": f"4-{secrets.token_hex(12)}",
        **(facts or {}),
    }
    body = json.dumps(envelope, ensure_ascii=False)
    attempts: list[Delivery] = []
    for retry_num in range(len(RETRY_WAITS_SECONDS) + 1):
        headers = {}
        if attempts:
            await asyncio.sleep(RETRY_WAITS_SECONDS[retry_num - 1] * settings.time_scale)
            reason = RETRY_REASONS[attempts[-1].outcome]
            headers = {"X-Slack-Retry-Num": str(retry_num), "X-Slack-Retry-Reason": reason}
        delivery = await workspace.deliverer.deliver(
            "event", event["type"], workspace.manifest.event_url, body, "application/json", headers, retry_num
        )
        attempts.append(delivery)
        if delivery.is_acked or delivery.response_headers.get("x-slack-no-retry") == "1":
            break
    return attempts


async def verify_request_url(workspace: Workspace) -> bool:
    """Send Slack's `url_verification` challenge; whether the app answered with it."""
    challenge = secrets.token_urlsafe(32)
    body = json.dumps({"token": workspace.verification_token, "challenge": challenge, "type": "url_verification"})
    delivery = await workspace.deliverer.deliver(
        "verification", "url_verification", workspace.manifest.event_url, body, "application/json"
    )
    if not delivery.is_acked:
        return False
    answer = delivery.response_body.strip()
    try:
        parsed = json.loads(answer)
    except json.JSONDecodeError:
        parsed = answer
    return parsed == challenge or (isinstance(parsed, dict) and parsed.get("challenge") == challenge)
