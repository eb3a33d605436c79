"""Slack's OAuth."""

from __future__ import annotations

from typing import Protocol

from bot.installation import BotToken, Installation


class SlackOAuth(Protocol):
    """Exchanging codes and tokens. Every method raises `SlackRefused` or `SlackUnavailable`."""

    def exchange(self, code: str, redirect_uri: str) -> Installation:
        """What the code of an authorization stands for; each code works once."""
        ...

    def refresh(self, refresh_token: str) -> BotToken:
        """A new token. The one before stays good until its end; the refresh token soon is not."""
        ...

    def accepts(self, token: str) -> bool:
        """Whether Slack takes the token."""
        ...

    def uninstall(self, token: str) -> None:
        """Take the app out of where the token is from."""
        ...
