"""Slack's way of saying no."""

from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """A Web API refusal with one of Slack's error codes, such as `channel_not_found`."""

    def __init__(self, code: str, messages: list[str] | None = None, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages or []
        self.facts = facts

    def body(self) -> dict[str, Any]:
        """The response body that Slack sends for it."""
        body: dict[str, Any] = {"ok": False, "error": self.code, **self.facts}
        if self.messages:
            body["response_metadata"] = {"messages": self.messages}
            body["errors"] = [message.removeprefix("[ERROR] ") for message in self.messages]
        return body


class RateLimited(SlackError):
    """HTTP 429; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("ratelimited")
        self.retry_after = retry_after
