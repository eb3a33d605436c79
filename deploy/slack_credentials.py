"""Puts the Slack app's secrets where the bot reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


class Incomplete(ValueError):
    """The secrets don't fit together; the text says what is missing, and none of them."""


@dataclass(frozen=True, repr=False)
class SlackCredentials:
    """What Slack shows of the app: the signing secret, and one of two ways in which it gets its tokens, or both.

    `client_id` and `client_secret`: it is installed through OAuth, wherever one likes. `bot_token` and `team_id`:
    it was installed by hand in this one workspace, without token rotation. What is not given is empty.
    """

    signing_secret: str
    client_id: str = ""
    client_secret: str = ""
    bot_token: str = ""
    team_id: str = ""

    @classmethod
    def ask(cls, ask_secretly: Callable[[str], str]) -> SlackCredentials:
        """Ask for each; raises `Incomplete`."""
        return cls(
            signing_secret=ask_secretly("Signing secret: ").strip(),
            client_id=ask_secretly("Client ID (empty: not installed through OAuth): ").strip(),
            client_secret=ask_secretly("Client secret (empty as well): ").strip(),
            bot_token=ask_secretly("Bot token (xoxb-…; empty: installed through OAuth): ").strip(),
            team_id=ask_secretly("Workspace of the bot token (T…; empty as well): ").strip(),
        ).checked()

    def checked(self) -> SlackCredentials:
        """Itself; raises `Incomplete`."""
        if not self.signing_secret:
            raise Incomplete("the signing secret is missing")
        if bool(self.client_id) != bool(self.client_secret):
            raise Incomplete("the client id and the client secret belong together")
        if bool(self.bot_token) != bool(self.team_id):
            raise Incomplete("the bot token and its workspace's id belong together")
        if not self.client_id and not self.bot_token:
            raise Incomplete("give the client id and secret, or a bot token and its workspace")
        if self.team_id and not re.fullmatch(r"T[A-Z0-9]{1,30}", self.team_id):
            raise Incomplete("a workspace's id looks like T0123ABCD")
        return self


def store_slack_credentials(session: Any, secret_arn: str, credentials: SlackCredentials) -> None:
    """Replace the stack's Slack secret. Functions that already run read it anew when they next start."""
    given = {name: value for name, value in asdict(credentials.checked()).items() if value}
    session.client("secretsmanager").put_secret_value(SecretId=secret_arn, SecretString=json.dumps(given))
