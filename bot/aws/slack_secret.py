"""Slack's secrets, from Secrets Manager."""

from __future__ import annotations

import json
from typing import NamedTuple

from bot.aws.signed_json import SignedJson


class SlackSecret(NamedTuple):
    """What Slack gave the app."""

    signing_secret: str
    bot_token: str

    def __repr__(self) -> str:
        return "SlackSecret(...)"


def read_slack_secret(secret_arn: str) -> SlackSecret:
    """Read `{"signing_secret": …, "bot_token": …}`; raises `ValueError` where one is missing, and `AwsCallFailed`."""
    answer = SignedJson("secretsmanager", "SECRETS_MANAGER", "secretsmanager", "1.1").call(
        "GetSecretValue", {"SecretId": secret_arn}
    )
    document = json.loads(answer["SecretString"])
    missing = [name for name in ("signing_secret", "bot_token") if not document.get(name)]
    if missing:
        raise ValueError(f"the Slack secret has no {' and no '.join(missing)}")
    return SlackSecret(document["signing_secret"], document["bot_token"])
