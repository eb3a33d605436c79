"""Renewing a token: one at a time, and what Slack has given out is never thrown away.

Slack revokes a refresh token shortly after it was used ("a short grace period", which it does not put into seconds:
https://docs.slack.dev/authentication/using-token-rotation). From then on the new pair is all there is, so it is kept
here until it is stored. And where Slack's answer did not come, the lease is given back at once: whoever asks next
repeats the refresh while the grace period lasts.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from bot.installation import BotToken
from bot.logs import log
from bot.ports.clock import Clock
from bot.ports.installations import InstallationStore, InstallationsUnavailable, Lease, Stored
from bot.ports.oauth import SlackOAuth
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable

LEASE_SECONDS = 30.0
"""Longer than refreshing may take."""
STORE_PAUSES_SECONDS = (0.0, 0.2, 0.8)
"""Before the tries to store a new token."""

# The refresh token is worth nothing any more. Any other refusal is about the app's own id and secret.
LOST_CODES = frozenset({"invalid_refresh_token", "invalid_grant", "token_revoked", "token_expired", "account_inactive"})


@dataclass(frozen=True)
class Renewed:
    """A new token. Until `is_stored`, this function alone knows it."""

    bot: BotToken
    is_stored: bool


@dataclass(frozen=True)
class Unstored:
    """A new token that could not be stored yet, and the lease that it was got under."""

    lease: Lease = field(repr=False)
    bot: BotToken


class TokenRenewal:
    """Renews tokens, and remembers those that it could not store."""

    def __init__(self, store: InstallationStore, oauth: SlackOAuth, clock: Clock) -> None:
        self._store = store
        self._oauth = oauth
        self._clock = clock
        self._unstored: dict[str, Unstored] = {}

    def renew(self, stored: Stored) -> Renewed | None:
        """The new token; None where somebody else is at it, or was quicker.

        Raises `NotInstalled`, `SlackRefused` and `SlackUnavailable`: then there is none.
        """
        kept = self._unstored.get(stored.installation.id)
        if kept is not None and kept.lease.stored.revision == stored.revision:
            return self._put_again(stored, kept)
        # Somebody has renewed it since, or installed the app anew.
        self._unstored.pop(stored.installation.id, None)
        lease = self._lease(stored)
        return None if lease is None else self._put(lease, self._refresh(lease))

    def _put_again(self, stored: Stored, kept: Unstored) -> Renewed:
        """Store what could not be stored before: under the lease from then, or a new one if that has gone."""
        renewed = self._put(kept.lease, kept.bot)
        if renewed is None:
            try:
                lease = self._lease(stored)
            except SlackUnavailable:
                lease = None
            renewed = None if lease is None else self._put(lease, kept.bot)
        return renewed or Renewed(kept.bot, is_stored=False)

    def _lease(self, stored: Stored) -> Lease | None:
        now = self._clock.now()
        if stored.lease_until > now:
            return None
        try:
            return self._store.lease(stored, secrets.token_hex(8), now + LEASE_SECONDS, now)
        except InstallationsUnavailable as error:
            raise SlackUnavailable(f"installations: {error}") from error

    def _refresh(self, lease: Lease) -> BotToken:
        installation = lease.stored.installation
        try:
            return self._oauth.refresh(installation.bot.refresh_token or "")
        except SlackUnavailable:
            self._release(lease)
            raise
        except SlackRefused as refused:
            self._release(lease)
            facts = {"workspace": installation.id, "code": refused.code}
            if refused.code in LOST_CODES:
                log.warning("token can't be renewed any more", extra=facts)
                raise NotInstalled(refused.code) from refused
            log.error("token not renewed", extra=facts)
            raise

    def _release(self, lease: Lease) -> None:
        try:
            self._store.release(lease)
        except InstallationsUnavailable as error:
            # It ends by itself.
            log.warning("lease not released", extra={"workspace": lease.stored.installation.id, "code": str(error)})

    def _put(self, lease: Lease, bot: BotToken) -> Renewed | None:
        """Store a new token. None where the lease has gone to somebody else: then it is tried again later."""
        facts = {"workspace": lease.stored.installation.id}
        code = ""
        for pause in STORE_PAUSES_SECONDS:
            if pause:
                self._clock.sleep(pause)
            try:
                if self._store.renew(lease, bot):
                    self._unstored.pop(lease.stored.installation.id, None)
                    log.info("token renewed", extra=facts)
                    return Renewed(bot, is_stored=True)
                self._unstored[lease.stored.installation.id] = Unstored(lease, bot)
                return None
            except InstallationsUnavailable as error:
                code = str(error)
        log.error("renewed token not stored yet", extra={**facts, "code": code})
        self._unstored[lease.stored.installation.id] = Unstored(lease, bot)
        return Renewed(bot, is_stored=False)
