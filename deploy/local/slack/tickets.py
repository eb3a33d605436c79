"""Short-lived rights that a delivery carries: trigger ids (once, seconds) and response URLs (5 uses, 30 minutes)."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

from deploy.local.slack.errors import SlackError

RESPONSE_URL_USES = 5
RESPONSE_URL_SECONDS = 30 * 60
KEPT_TICKETS = 2000


@dataclass
class Trigger:
    """Somebody did something a moment ago. `view_id` is the modal in which it happened."""

    id: str
    user: str
    made_monotonic: float
    view_id: str | None = None
    is_used: bool = False


class Triggers:
    """Makes trigger ids and exchanges each of them once."""

    def __init__(self, lifetime_seconds: float) -> None:
        self.lifetime_seconds = lifetime_seconds
        self._triggers: OrderedDict[str, Trigger] = OrderedDict()

    def make(self, user: str, view_id: str | None = None) -> str:
        """A new trigger id for what this member just did."""
        number = time.time_ns() // 1000
        trigger = Trigger(f"{number}.{number % 10**10}.{secrets.token_hex(16)}", user, time.monotonic(), view_id)
        self._triggers[trigger.id] = trigger
        while len(self._triggers) > KEPT_TICKETS:
            self._triggers.popitem(last=False)
        return trigger.id

    def exchange(self, trigger_id: str) -> Trigger:
        """Use a trigger id up; raises `SlackError` for an unknown, a used and an old one."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.is_used:
            raise SlackError("exchanged_trigger_id")
        if time.monotonic() - trigger.made_monotonic > self.lifetime_seconds:
            raise SlackError("expired_trigger_id")
        trigger.is_used = True
        return trigger


@dataclass
class ResponseUrl:
    """Where the app may answer an interaction. `message_ts` is what `replace_original` would replace."""

    secret: str
    user: str
    channel: str
    made_monotonic: float
    lifetime_seconds: float
    message_ts: str | None = None
    is_message_ephemeral: bool = False
    thread_ts: str | None = None
    uses: int = 0

    def use(self) -> None:
        """Count one use; raises `SlackError` when there is none left."""
        if time.monotonic() - self.made_monotonic > self.lifetime_seconds:
            raise SlackError("expired_url")
        if self.uses >= RESPONSE_URL_USES:
            raise SlackError("used_url")
        self.uses += 1


class ResponseUrls:
    """Makes response URLs and finds them again."""

    def __init__(self, time_scale: float) -> None:
        self._time_scale = time_scale
        self._urls: OrderedDict[str, ResponseUrl] = OrderedDict()

    def make(
        self,
        user: str,
        channel: str,
        message_ts: str | None = None,
        is_message_ephemeral: bool = False,
        thread_ts: str | None = None,
    ) -> ResponseUrl:
        """A new one for what this member just did in this channel."""
        url = ResponseUrl(
            secret=secrets.token_urlsafe(18),
            user=user,
            channel=channel,
            made_monotonic=time.monotonic(),
            lifetime_seconds=RESPONSE_URL_SECONDS * self._time_scale,
            message_ts=message_ts,
            is_message_ephemeral=is_message_ephemeral,
            thread_ts=thread_ts,
        )
        self._urls[url.secret] = url
        while len(self._urls) > KEPT_TICKETS:
            self._urls.popitem(last=False)
        return url

    def find(self, secret: str) -> ResponseUrl:
        """The response URL with that secret; raises `SlackError`."""
        if secret not in self._urls:
            raise SlackError("no_such_url")
        return self._urls[secret]
