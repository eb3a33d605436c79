"""Puts the Slack app's secrets where the bot reads them."""

from __future__ import annotations

import json
from typing import Any


def store_slack_credentials(session: Any, secret_arn: str, signing_secret: str, bot_token: str) -> None:
    """Replace the stack's Slack secret. Functions that already run read it anew when they next start."""
    session.client("secretsmanager").put_secret_value(
        SecretId=secret_arn,
        SecretString=json.dumps({"signing_secret": signing_secret, "bot_token": bot_token}),
    )
