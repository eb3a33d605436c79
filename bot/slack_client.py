"""The Slack SDK's client as the bot uses it, and what its errors mean."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.web import SlackResponse

from bot.bot_tokens import BotTokens
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable

DEFAULT_API_URL = "https://slack.com/api/"
TIMEOUT_SECONDS = 10
RATE_LIMIT_RETRIES = 2
NEWER_TOKENS = 2

# Slack's own faults: whether the call took effect is not known.
UNAVAILABLE_CODES = frozenset(
    {
        "fatal_error",
        "internal_error",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
# The token is not good: nothing was done, and a newer one may be stored.
TOKEN_CODES = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
# So says Slack of workspaces that have no installation any more.
GONE_CODES = frozenset({"account_inactive", "token_revoked", "token_expired", "team_access_not_granted"})


@dataclass(frozen=True)
class WorkspaceToken:
    """The bot's token in one workspace, found when it is first needed."""

    tokens: BotTokens
    team: str
    enterprise: str

    def get(self) -> str:
        """The token; raises as `BotTokens.token_for` does."""
        return self.tokens.token_for(self.team, self.enterprise)

    def newer_than(self, refused: str) -> str:
        """Another one than what Slack refuses."""
        return self.tokens.newer_than(refused, self.team, self.enterprise)


class InstalledClient(WebClient):
    """A client for one workspace, which looks for its token at the first call. Making one costs nothing.

    A call that Slack refuses because of the token has not taken effect: it is made again with a newer token, if there
    is one, and raises `NotInstalled` otherwise. The newer one that is stored may have been pushed out as well: then it
    is renewed.
    """

    def __init__(self, token: WorkspaceToken, **options: Any) -> None:
        # An organisation's token works in many workspaces: many methods ask for which one.
        super().__init__(token=None, team_id=(token.team or None) if token.enterprise else None, **options)
        self._workspace_token = token

    def api_call(self, api_method: str, **arguments: Any) -> SlackResponse:
        """One call of the Web API."""
        self.token = self._workspace_token.get()
        for _ in range(NEWER_TOKENS):
            try:
                return super().api_call(api_method, **arguments)
            except SlackApiError as error:
                if refusal_code(error) not in TOKEN_CODES:
                    raise
                self.token = self._workspace_token.newer_than(self.token)
        return super().api_call(api_method, **arguments)


def patient_client(token: WorkspaceToken, api_url: str) -> WebClient:
    """Waits out rate limits. It repeats nothing else by itself: a post that was sent twice would be seen twice."""
    retries = [RateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_RETRIES)]
    return InstalledClient(token, **client_options(api_url, TIMEOUT_SECONDS), retry_handlers=retries)


def hasty_client(token: WorkspaceToken, api_url: str, timeout_seconds: int = TIMEOUT_SECONDS) -> WebClient:
    """Gives up at the first refusal; for what is soon outdated anyway."""
    return InstalledClient(token, **client_options(api_url, timeout_seconds), retry_handlers=[])


def client_options(api_url: str, timeout_seconds: int) -> dict[str, Any]:
    """Where Slack is, how long to wait for it, and a logger that stays silent about what is sent."""
    logger = logging.getLogger("easel.slack_sdk")
    # At DEBUG the SDK logs whole messages.
    logger.setLevel(logging.WARNING)
    base_url = api_url if api_url.endswith("/") else f"{api_url}/"
    return {"base_url": base_url, "timeout": timeout_seconds, "logger": logger}


def call(method: Callable[..., SlackResponse], **arguments: Any) -> SlackResponse:
    """Call a method of the Web API; raises `SlackRefused` or `SlackUnavailable` and nothing of the SDK's own."""
    try:
        return method(**arguments)
    except SlackApiError as error:
        status = getattr(error.response, "status_code", 200)
        code = refusal_code(error)
        if status >= 500 or status == 429 or code in UNAVAILABLE_CODES or not code:
            raise SlackUnavailable(code or f"HTTP {status}") from error
        if code in GONE_CODES:
            raise NotInstalled(code) from error
        raise SlackRefused(code) from error
    # OSError: refused and reset connections, time-outs, urllib's URLError.
    except (SlackClientError, OSError, HTTPException) as error:
        raise SlackUnavailable(type(error).__name__) from error


def refusal_code(error: SlackApiError) -> str:
    """Slack's word for it, or an empty text."""
    return str(error.response.get("error", "")) if hasattr(error.response, "get") else ""
