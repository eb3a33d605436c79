"""What an operator stores of the Slack app, and which manifest goes with which way of installing it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from commands.manifest import manifest
from deploy.slack_credentials import Incomplete, SlackCredentials, store_slack_credentials


class Session:
    """Secrets Manager, as far as this needs it."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}

    def client(self, service: str) -> Session:
        """Itself."""
        assert service == "secretsmanager"
        return self

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:
        """Remember."""
        self.stored[SecretId] = json.loads(SecretString)


def asked(*answers: str) -> SlackCredentials:
    given = iter(answers)
    return SlackCredentials.ask(lambda prompt: next(given))


@pytest.mark.parametrize(
    ("answers", "stored"),
    [
        ((" s1 ", "1.2", "c1", "", ""), {"signing_secret": "s1", "client_id": "1.2", "client_secret": "c1"}),
        (("s1", "", "", "xoxb-1", "T1"), {"signing_secret": "s1", "bot_token": "xoxb-1", "team_id": "T1"}),
    ],
)
def test_either_way_is_stored_without_what_was_not_given(answers: tuple[str, ...], stored: dict[str, str]) -> None:
    session = Session()
    store_slack_credentials(session, "arn", asked(*answers))
    assert session.stored == {"arn": stored}


@pytest.mark.parametrize(
    ("answers", "missing"),
    [
        (("", "1.2", "c1", "", ""), "signing secret"),
        (("s1", "", "", "", ""), "client id and secret, or a bot token"),
        (("s1", "1.2", "", "", ""), "client secret"),
        (("s1", "", "", "xoxb-1", ""), "workspace's id"),
        (("s1", "", "", "xoxb-1", "acme"), "T0123ABCD"),
    ],
)
def test_what_does_not_fit_together_is_refused_without_saying_it(answers: tuple[str, ...], missing: str) -> None:
    with pytest.raises(Incomplete, match=missing) as refused:
        asked(*answers)
    assert not any(secret in str(refused.value) for secret in ("s1", "c1", "1.2", "xoxb-1"))


def test_credentials_show_nothing_of_themselves() -> None:
    secrets = ("signing-secret-1", "client-secret-1", "xoxb-token-1")
    shown = repr(SlackCredentials(secrets[0], "1.2", secrets[1], secrets[2], "T1"))
    assert not any(secret in shown for secret in secrets)


def test_tokens_rotate_where_the_app_is_installed_through_oauth() -> None:
    settings = manifest()["settings"]
    assert settings["token_rotation_enabled"] and settings["org_deploy_enabled"]
    assert {"app_uninstalled", "tokens_revoked"} <= set(settings["event_subscriptions"]["bot_events"])
    by_hand = manifest(is_distributed=False)["settings"]
    assert not by_hand["token_rotation_enabled"] and not by_hand["org_deploy_enabled"]
