"""Reading a call's arguments, however they were encoded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deploy.local.slack.entities import Json
from deploy.local.slack.errors import SlackError
from deploy.local.slack.slack_app import AccessToken

MAX_LIMIT = 1000


class Arguments:
    """The arguments of one call. Form fields are texts, also where JSON is meant; both are understood."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.token: AccessToken | None = None
        """The caller's token, once it is known to be good."""

    def has(self, name: str) -> bool:
        """Whether the argument was given, and not as null."""
        return self.values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """A text argument."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def required(self, name: str) -> str:
        """A text that must be there; raises `invalid_arguments` naming it."""
        value = self.text(name)
        if not value:
            raise SlackError("invalid_arguments", [f"[ERROR] missing required field: {name}"])
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean argument: true, "true" or "1"."""
        value = self.values.get(name)
        return default if value is None else str(value).lower() in {"true", "1"}

    def number(self, name: str, default: int) -> int:
        """A whole number; raises `invalid_arguments`."""
        try:
            return int(self.values.get(name) or default)
        except (TypeError, ValueError):
            raise SlackError("invalid_arguments", [f"[ERROR] must be an integer [json-pointer:/{name}]"]) from None

    def json_list(self, name: str, error: str) -> list[Any] | None:
        """A list, given as JSON or as text of JSON; None when not given; raises that error otherwise."""
        value = self._json(name, error)
        if value is not None and not isinstance(value, list):
            raise SlackError(error)
        return value

    def json_object(self, name: str, error: str) -> Json | None:
        """An object, given as JSON or as text of JSON; None when not given; raises that error otherwise."""
        value = self._json(name, error)
        if value is not None and not isinstance(value, dict):
            raise SlackError(error)
        return value

    def page_of(self, items: list[Any], default_limit: int = 100) -> tuple[list[Any], str]:
        """The page that `cursor` and `limit` name, and the next cursor (empty at the end)."""
        limit = min(max(1, self.number("limit", default_limit)), MAX_LIMIT)
        cursor = self.text("cursor")
        position = cursor.removeprefix("at:")
        if cursor and not (cursor.startswith("at:") and position.isascii() and position.isdecimal()):
            raise SlackError("invalid_cursor")
        start = int(position) if cursor else 0
        more = start + limit < len(items)
        return items[start : start + limit], f"at:{start + limit}" if more else ""

    def _json(self, name: str, error: str) -> Any:
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            try:
                return json.loads(value)
            except json.JSONDecodeError:
                raise SlackError(error) from None
        return value
