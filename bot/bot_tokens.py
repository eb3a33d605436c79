"""Which token the bot has where. Tokens that end are renewed by whoever needs one, and by one at a time.

Slack on rotation (https://docs.slack.dev/authentication/using-token-rotation): a token lives twelve hours. Refreshing
it does not end it, but of one installation's tokens only the newest two are good; the refresh token that was used is
revoked after a short grace period. So two who refresh at once can leave behind a stored token that a third has pushed
out: a lease in the store keeps them apart (`bot.token_renewal`). And a refresh whose answer was lost is repeated soon,
with the same refresh token, while the token from before still works: that is why it is renewed hours before its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.installation import BotToken
from bot.logs import log
from bot.ports.clock import Clock
from bot.ports.installations import InstallationStore, InstallationsUnavailable, Stored
from bot.ports.oauth import SlackOAuth
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable
from bot.token_renewal import TokenRenewal

RENEW_BEFORE_SECONDS = 2 * 3600.0
STILL_GOOD_SECONDS = 30.0
"""A token is not used in the last moments before its end."""
KEPT_SECONDS = 3600.0
RECHECK_SECONDS = 15.0
LOST_RECHECK_SECONDS = 2.0
"""After a refresh without an answer: it is repeated soon, for the refresh token may have been used."""
POLL_SECONDS = 0.3
MAX_KEPT = 500


@dataclass(frozen=True)
class Kept:
    """A token in memory, and until when it is used without another look."""

    token: str = field(repr=False)
    until: float


@dataclass(frozen=True)
class OwnToken:
    """The token of the one workspace that the app was installed in by hand; it never ends."""

    team: str
    token: str = field(repr=False)


class BotTokens:
    """Finds tokens and keeps them in memory until they near their end.

    `patience_seconds`: how long it waits for somebody else who is renewing a token that has ended. `renews_early`:
    whether it renews a token that is still good. One without the time to repeat a refresh leaves that to the others.
    """

    def __init__(
        self,
        store: InstallationStore,
        oauth: SlackOAuth,
        clock: Clock,
        own: OwnToken | None = None,
        patience_seconds: float = 10.0,
        renews_early: bool = True,
    ) -> None:
        self._store = store
        self._renewal = TokenRenewal(store, oauth, clock)
        self._clock = clock
        self._own = own
        self._patience_seconds = patience_seconds
        self._renews_early = renews_early
        self._kept: dict[tuple[str, str], Kept] = {}

    def token_for(self, team: str, enterprise: str) -> str:
        """The bot's token in a workspace; raises `NotInstalled`, `SlackRefused`, `SlackUnavailable`."""
        if self._own is not None and team == self._own.team:
            return self._own.token
        kept = self._kept.get((team, enterprise))
        if kept is not None and self._clock.now() < kept.until:
            return kept.token
        return self._look(team, enterprise, refused=None)

    def newer_than(self, refused: str, team: str, enterprise: str) -> str:
        """Another token than one that Slack refuses; raises as `token_for` does."""
        if self._own is not None and team == self._own.team:
            # It was installed anew through OAuth, or not at all.
            self._own = None
        self._kept.pop((team, enterprise), None)
        return self._look(team, enterprise, refused)

    def _look(self, team: str, enterprise: str, refused: str | None) -> str:
        deadline = self._clock.now() + self._patience_seconds
        revision_that_failed = ""
        while True:
            stored = self._find(team, enterprise)
            if stored is None:
                raise NotInstalled("not_installed")
            bot = stored.installation.bot
            is_good = bot.token != refused and self._lasts(bot, STILL_GOOD_SECONDS)
            if is_good and (self._lasts(bot, RENEW_BEFORE_SECONDS) or not self._renews_early):
                return self._keep(team, enterprise, bot.token, self._fresh_until(bot))
            if bot.refresh_token is None or stored.revision == revision_that_failed:
                raise NotInstalled("token_revoked")
            recheck_seconds = RECHECK_SECONDS
            try:
                renewed = self._renewal.renew(stored)
            except (SlackRefused, SlackUnavailable) as error:
                if isinstance(error, NotInstalled) and not is_good:
                    # Unless somebody has installed it anew just now.
                    revision_that_failed = stored.revision
                    continue
                if not is_good:
                    raise
                renewed = None
                if isinstance(error, SlackUnavailable):
                    recheck_seconds = LOST_RECHECK_SECONDS
            if renewed is not None:
                until = self._fresh_until(renewed.bot) if renewed.is_stored else self._clock.now() + RECHECK_SECONDS
                return self._keep(team, enterprise, renewed.bot.token, until)
            if is_good:
                return self._keep(team, enterprise, bot.token, self._clock.now() + recheck_seconds)
            if self._clock.now() >= deadline:
                raise SlackUnavailable("token_not_renewed_yet")
            self._clock.sleep(POLL_SECONDS)

    def _find(self, team: str, enterprise: str) -> Stored | None:
        try:
            return self._store.find(team, enterprise)
        except InstallationsUnavailable as error:
            log.error("installation not read", extra={"team": team, "enterprise": enterprise, "code": str(error)})
            raise SlackUnavailable(f"installations: {error}") from error

    def _lasts(self, bot: BotToken, seconds: float) -> bool:
        return bot.expires_at is None or bot.expires_at - self._clock.now() > seconds

    def _fresh_until(self, bot: BotToken) -> float:
        now = self._clock.now()
        if bot.expires_at is None:
            return now + KEPT_SECONDS
        return max(now + RECHECK_SECONDS, min(now + KEPT_SECONDS, bot.expires_at - RENEW_BEFORE_SECONDS))

    def _keep(self, team: str, enterprise: str, token: str, until: float) -> str:
        while len(self._kept) >= MAX_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[team, enterprise] = Kept(token, until)
        return token
