"""Slack's OAuth through the Web API. Codes, tokens and secrets go into requests and nowhere else."""

from __future__ import annotations

from slack_sdk import WebClient
from slack_sdk.web import SlackResponse

from bot.installation import BotToken, Installation
from bot.ports.clock import Clock
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.slack_client import TOKEN_CODES, call, client_options

RETRY_SECONDS = 0.3


class WebSlackOAuth:
    """Implements `bot.ports.oauth.SlackOAuth`.

    `tries`: a refresh without an answer is asked for so often at once: the refresh token still works for a moment.
    """

    def __init__(
        self, client_id: str, client_secret: str, api_url: str, clock: Clock, timeout_seconds: int, tries: int
    ) -> None:
        self._app = {"client_id": client_id, "client_secret": client_secret}
        self._options = {**client_options(api_url, timeout_seconds), "retry_handlers": []}
        self._client = WebClient(**self._options)
        self._clock = clock
        self._tries = tries

    def exchange(self, code: str, redirect_uri: str) -> Installation:
        """What the code of an authorization stands for."""
        asked_at = self._clock.now()
        answer = call(self._client.oauth_v2_access, **self._app, code=code, redirect_uri=redirect_uri)
        team, enterprise = answer.get("team") or {}, answer.get("enterprise") or {}
        is_org_wide = bool(answer.get("is_enterprise_install"))
        installation = Installation(
            team="" if is_org_wide else str(team.get("id") or ""),
            enterprise=str(enterprise.get("id") or ""),
            name=str((enterprise if is_org_wide else team).get("name") or ""),
            app_id=str(answer.get("app_id") or ""),
            bot_user_id=str(answer.get("bot_user_id") or ""),
            scopes=tuple(str(answer.get("scope") or "").split(",")),
            installer=str((answer.get("authed_user") or {}).get("id") or ""),
            # An event that Slack sends after this answer is later than this.
            installed_at=asked_at,
            bot=self._token(answer, asked_at),
        )
        if not installation.id or not installation.installer:
            raise SlackRefused("incomplete_answer")
        return installation

    def refresh(self, refresh_token: str) -> BotToken:
        """A new token and refresh token."""
        for attempt in range(self._tries):
            asked_at = self._clock.now()
            try:
                answer = call(
                    self._client.oauth_v2_access, **self._app, grant_type="refresh_token", refresh_token=refresh_token
                )
                return self._token(answer, asked_at)
            except SlackUnavailable:
                if attempt == self._tries - 1:
                    raise
                self._clock.sleep(RETRY_SECONDS)
        raise AssertionError("there is a last try")

    def accepts(self, token: str) -> bool:
        """Whether Slack takes the token."""
        try:
            call(WebClient(token=token, **self._options).auth_test)
        except SlackRefused as refused:
            if refused.code in TOKEN_CODES:
                return False
            raise
        return True

    def uninstall(self, token: str) -> None:
        """Take the app out of where the token is from."""
        call(WebClient(token=token, **self._options).apps_uninstall, **self._app)

    def _token(self, answer: SlackResponse, asked_at: float) -> BotToken:
        token, refresh_token, seconds = (answer.get(name) for name in ("access_token", "refresh_token", "expires_in"))
        if not isinstance(token, str) or not token or answer.get("token_type", "bot") != "bot":
            raise SlackRefused("no_bot_token")
        if not isinstance(refresh_token, str) or not isinstance(seconds, int | float):
            return BotToken(token)
        return BotToken(token, refresh_token, asked_at + seconds)
