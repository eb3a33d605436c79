"""Lambda behind `POST /slack/events`: everything that Slack sends."""

from __future__ import annotations

from functools import cache
from typing import Any

# Imported here and not at the first request, where somebody waits: Lambda's own start, or a snapshot, has them ready.
import bot.aws.dynamo_installations
import bot.aws.late_record_store
import bot.aws.slack_secret
import bot.aws.sqs_invocation_queue
import bot.slack_app
import bot.slack_oauth  # noqa: F401
from bot.api_gateway import SlackGateway
from bot.logs import configure_logs, log, new_reference
from bot.wiring import wire_slack


@cache
def _gateway() -> SlackGateway:
    configure_logs()
    return wire_slack()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one proxy event within Slack's three seconds."""
    try:
        return _gateway().answer(event)
    except Exception:
        log.exception("request failed", extra={"reference": new_reference()})
        return {"statusCode": 500, "headers": {}, "body": ""}
