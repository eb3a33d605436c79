"""The Slack SDK's client as the worker and the results function use it, and what its errors mean."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.web import SlackResponse

from bot.ports.slack import SlackRefused, SlackUnavailable

DEFAULT_API_URL = "https://slack.com/api/"
TIMEOUT_SECONDS = 10
RATE_LIMIT_RETRIES = 2

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


def patient_client(token: str, api_url: str) -> WebClient:
    """Waits out rate limits. It repeats nothing else by itself: a post that was sent twice would be seen twice."""
    return _client(token, api_url, [RateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_RETRIES)])


def hasty_client(token: str, api_url: str) -> WebClient:
    """Gives up at the first refusal; for what is soon outdated anyway."""
    return _client(token, api_url, [])


def call(method: Callable[..., SlackResponse], **arguments: Any) -> SlackResponse:
    """Call a method of the Web API; raises `SlackRefused` or `SlackUnavailable` and nothing of the SDK's own."""
    try:
        return method(**arguments)
    except SlackApiError as error:
        status = getattr(error.response, "status_code", 200)
        code = str(error.response.get("error", "")) if hasattr(error.response, "get") else ""
        if status >= 500 or status == 429 or code in UNAVAILABLE_CODES or not code:
            raise SlackUnavailable(code or f"HTTP {status}") from error
        raise SlackRefused(code) from error
    # OSError: refused and reset connections, time-outs, urllib's URLError.
    except (SlackClientError, OSError, HTTPException) as error:
        raise SlackUnavailable(type(error).__name__) from error


def _client(token: str, api_url: str, retry_handlers: list[Any]) -> WebClient:
    logger = logging.getLogger("easel.slack_sdk")
    # At DEBUG the SDK logs whole messages.
    logger.setLevel(logging.WARNING)
    return WebClient(
        token=token,
        base_url=api_url if api_url.endswith("/") else f"{api_url}/",
        timeout=TIMEOUT_SECONDS,
        retry_handlers=retry_handlers,
        logger=logger,
    )
