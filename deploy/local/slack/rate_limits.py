"""Slack's rate limits: tiers a minute per method, and about one message a second per channel."""

from __future__ import annotations

import math
import time

from deploy.local.slack.errors import RateLimited

TIER_1, TIER_2, TIER_3, TIER_4, SPECIAL = 1, 20, 50, 100, 600
DEFAULT_TIER = TIER_3
POST_BURST = 5
POSTS_PER_SECOND = 1.0

METHOD_TIERS = {
    "api.test": TIER_4,
    "apps.uninstall": TIER_1,
    "assistant.threads.setStatus": SPECIAL,
    "auth.revoke": TIER_3,
    "auth.test": SPECIAL,
    "bots.info": TIER_3,
    "chat.delete": TIER_3,
    "chat.getPermalink": SPECIAL,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": SPECIAL,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.list": TIER_2,
    "conversations.members": TIER_4,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "files.completeUploadExternal": TIER_4,
    "files.delete": TIER_3,
    "files.getUploadURLExternal": TIER_4,
    "files.info": TIER_4,
    "files.list": TIER_3,
    "oauth.v2.access": TIER_4,
    "reactions.add": TIER_3,
    "reactions.remove": TIER_2,
    "team.info": TIER_3,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "users.conversations": TIER_3,
    "users.info": TIER_4,
    "users.list": TIER_2,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
}


class TokenBucket:
    """Holds up to `burst` calls and refills at `per_second`."""

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._level = burst
        self._at = now

    def take(self, now: float) -> float:
        """Take one and return 0.0, or take none and return the seconds until there is one."""
        self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self._per_second


class RateLimits:
    """Counts calls per method and posts per channel; `factor` multiplies every limit, None switches them off."""

    def __init__(self, factor: float | None) -> None:
        self.factor = factor
        self._buckets: dict[str, TokenBucket] = {}

    def count_call(self, method: str) -> None:
        """Count a call of a method; raises `RateLimited`."""
        tier = METHOD_TIERS.get(method, DEFAULT_TIER)
        self._count(method, burst=tier, per_second=tier / 60)

    def count_post(self, channel_id: str) -> None:
        """Count a message posted to a channel; raises `RateLimited`."""
        self._count(f"post:{channel_id}", burst=POST_BURST, per_second=POSTS_PER_SECOND)

    def set_factor(self, factor: float | None) -> None:
        """Change the factor and forget what was counted."""
        self.factor = factor
        self._buckets.clear()

    def _count(self, key: str, burst: float, per_second: float) -> None:
        if self.factor is None:
            return
        now = time.monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = TokenBucket(max(1.0, burst * self.factor), per_second * self.factor, now)
            self._buckets[key] = bucket
        wait_seconds = bucket.take(now)
        if wait_seconds > 0:
            raise RateLimited(max(1, math.ceil(wait_seconds)))
