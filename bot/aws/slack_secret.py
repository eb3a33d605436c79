"""Slack's secrets, from Secrets Manager."""

from __future__ import annotations

import json
from typing import NamedTuple

from bot.aws.signed_json import SignedJson


class SlackSecret(NamedTuple):
    """What Slack gave the app. `client_id` and `client_secret` are empty where it is not installed through OAuth,
    `bot_token` and `team_id` where it was not installed by hand in one workspace.
    """

    signing_secret: str
    client_id: str = ""
    client_secret: str = ""
    bot_token: str = ""
    team_id: str = ""

    def __repr__(self) -> str:
        return "SlackSecret(...)"


def read_slack_secret(secret_arn: str) -> SlackSecret:
    """Read the secret, a JSON object with the fields of `SlackSecret`.

    Raises `ValueError` where the signing secret or one of a pair is missing, and `AwsCallFailed`.
    """
    answer = SignedJson("secretsmanager", "SECRETS_MANAGER", "secretsmanager", "1.1").call(
        "GetSecretValue", {"SecretId": secret_arn}
    )
    document = json.loads(answer["SecretString"])
    secret = SlackSecret(**{name: str(document.get(name) or "") for name in SlackSecret._fields})
    missing = [] if secret.signing_secret else ["signing_secret"]
    for one, other in (("client_id", "client_secret"), ("bot_token", "team_id")):
        pair = {name: getattr(secret, name) for name in (one, other)}
        if any(pair.values()):
            missing += [name for name, value in pair.items() if not value]
    if missing:
        raise ValueError(f"the Slack secret has no {' and no '.join(missing)}")
    return secret
