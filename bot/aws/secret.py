"""Slack's secrets, from Secrets Manager."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from bot.aws.clients import AwsClients


@dataclass(frozen=True)
class SlackSecret:
    """What Slack gave the app."""

    signing_secret: str = field(repr=False)
    bot_token: str = field(repr=False)


def read_slack_secret(clients: AwsClients, secret_arn: str) -> SlackSecret:
    """Read `{"signing_secret": …, "bot_token": …}`; raises `ValueError` where something is missing."""
    text = clients.get("secretsmanager").get_secret_value(SecretId=secret_arn)["SecretString"]
    document = json.loads(text)
    missing = [name for name in ("signing_secret", "bot_token") if not document.get(name)]
    if missing:
        raise ValueError(f"the Slack secret has no {' and no '.join(missing)}")
    return SlackSecret(document["signing_secret"], document["bot_token"])
