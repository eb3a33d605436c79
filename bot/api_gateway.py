"""From API Gateway's proxy event to Bolt and back.

Bolt's own Lambda adapter would do, but it imports boto3 for a feature that is not used here, which costs a cold start a
fifth of a second, and it raises on bodies that are not JSON.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from slack_bolt import App, BoltRequest
from slack_sdk.signature import SignatureVerifier

from bot.logs import log
from bot.origin import enterprise_of, team_of
from commands.views.training_ids import CHANGE_FORM, ESTIMATED, MORE_PICTURES, SHOW_ADVANCED

MAX_BODY_BYTES = 1_000_000
IN_VIEWS = frozenset({*ESTIMATED, SHOW_ADVANCED, MORE_PICTURES, CHANGE_FORM})
"""What is pressed or chosen in modals; everything else of ours is below a message."""
# Bolt acts on some other headers; none of them is covered by the signature.
PASSED_ON = ("content-type", "x-slack-request-timestamp", "x-slack-signature")
TIMESTAMP = re.compile(r"[0-9]{1,12}")
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")

STRINGS_OF_A_COMMAND = ("command", "channel_id", "user_id", "trigger_id")


class SlackGateway:
    """Answers proxy events with the Bolt app."""

    def __init__(self, app: App, signing_secret: str) -> None:
        self._app = app
        self._verifier = SignatureVerifier(signing_secret)

    def answer(self, event: dict[str, Any]) -> dict[str, Any]:
        """A proxy response. 401: not signed by Slack, or too long ago; 400: signed, but not to be understood."""
        headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        body = _body(event)
        if body is None:
            return _answer(400, '{"error": "malformed"}')
        if len(body) > MAX_BODY_BYTES:
            return _answer(413, '{"error": "too_large"}')
        if not self._is_signed(body, headers):
            log.warning("signature refused")
            return _answer(401, '{"error": "invalid_signature"}')
        try:
            request = BoltRequest(body=body, headers={name: headers[name] for name in PASSED_ON if name in headers})
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return _answer(400, '{"error": "malformed"}')
        if not is_well_formed(request.body):
            return _answer(400, '{"error": "malformed"}')
        response = self._app.dispatch(request)
        return {"statusCode": response.status, "headers": response.first_headers(), "body": response.body}

    def _is_signed(self, body: str, headers: dict[str, str]) -> bool:
        timestamp = headers.get("x-slack-request-timestamp", "")
        signature = headers.get("x-slack-signature", "")
        if not TIMESTAMP.fullmatch(timestamp) or not SIGNATURE.fullmatch(signature):
            return False
        try:
            return self._verifier.is_valid(body, timestamp, signature)
        except UnicodeEncodeError:
            return False


def is_well_formed(body: Any) -> bool:
    """Whether a body has the shape of what Slack sends, as far as the listeners rely on it."""
    if not isinstance(body, dict):
        return False
    if "command" in body:
        return bool(team_of(body)) and all(_is_id(body.get(name)) for name in STRINGS_OF_A_COMMAND)
    match body.get("type"):
        case "url_verification":
            return isinstance(body.get("challenge"), str)
        case "event_callback":
            event = body.get("event")
            return isinstance(event, dict) and _is_event(event, body)
        case "block_actions":
            actions = body.get("actions")
            return (
                _has_people(body)
                and isinstance(actions, list)
                and bool(actions)
                and all(isinstance(one, dict) and _is_id(one.get("action_id")) for one in actions)
                and isinstance(body.get("message", {}), dict)
                and (not _is_ours(actions) or (_is_change(body) if _is_in_view(actions) else _is_press(body)))
            )
        case "message_action":
            return _has_people(body) and _is_message_shortcut(body)
        case "view_submission" | "view_closed":
            view = body.get("view")
            return _has_people(body) and isinstance(view, dict) and _is_view(view)
        case "block_suggestion":
            view = body.get("view", {})
            return _has_people(body) and _is_id(body.get("action_id")) and isinstance(view, dict)
        case _:
            return "ssl_check" in body


def _is_event(event: dict[str, Any], body: dict[str, Any]) -> bool:
    if not isinstance(event.get("type"), str):
        return False
    if event["type"] in {"app_uninstalled", "tokens_revoked"}:
        # Of an organisation's installation, they may name no workspace.
        return _is_from_somewhere(body)
    if not _is_from_somewhere(body):
        return False
    if event["type"] not in {"app_mention", "message"}:
        return True
    texts = ("channel", "ts")
    optional = ("user", "thread_ts", "bot_id", "subtype", "channel_type", "text", "user_team", "team")
    return all(_is_id(event.get(name)) for name in texts) and all(
        isinstance(event.get(name, ""), str | None) for name in optional
    )


def _is_ours(actions: list[dict[str, Any]]) -> bool:
    return str(actions[0]["action_id"]).startswith("easel_")


def _is_press(body: dict[str, Any]) -> bool:
    container = body.get("container")
    return (
        isinstance(container, dict)
        and all(_is_id(container.get(name)) for name in ("channel_id", "message_ts"))
        and _is_id(body["actions"][0].get("action_ts"))
        and _is_id(body.get("trigger_id"))
    )


def _is_in_view(actions: list[dict[str, Any]]) -> bool:
    return str(actions[0]["action_id"]) in IN_VIEWS


def _is_change(body: dict[str, Any]) -> bool:
    view = body.get("view")
    if not isinstance(view, dict) or not _is_view(view):
        return False
    blocks = view.get("blocks")
    has_blocks = isinstance(blocks, list) and all(isinstance(block, dict) for block in blocks)
    return has_blocks and _is_id(view.get("hash"))


def _is_message_shortcut(body: dict[str, Any]) -> bool:
    channel, message = body.get("channel"), body.get("message")
    return (
        isinstance(channel, dict)
        and _is_id(channel.get("id"))
        and isinstance(message, dict)
        and _is_id(message.get("ts"))
        and isinstance(message.get("thread_ts", ""), str | None)
        and isinstance(message.get("files", []), list | None)
        and _is_id(body.get("callback_id"))
        and _is_id(body.get("trigger_id"))
    )


def _is_view(view: dict[str, Any]) -> bool:
    state = view.get("state")
    return (
        _is_id(view.get("id"))
        and isinstance(view.get("callback_id"), str)
        and isinstance(view.get("private_metadata", ""), str)
        and isinstance(state, dict)
        and isinstance(state.get("values"), dict)
    )


def _has_people(body: dict[str, Any]) -> bool:
    user = body.get("user")
    return isinstance(user, dict) and _is_id(user.get("id")) and _is_from_somewhere(body)


def _is_from_somewhere(body: dict[str, Any]) -> bool:
    # Where an organisation's installation is asked, the workspace may be null.
    return bool(team_of(body) or enterprise_of(body))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _body(event: dict[str, Any]) -> str | None:
    body = event.get("body") or ""
    if not isinstance(body, str):
        return None
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def _answer(status: int, body: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": body}
