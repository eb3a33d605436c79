"""Installations and Slack's OAuth in memory, with the rules that the real ones have."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import Any

from bot.bot_tokens import BotTokens, OwnToken
from bot.installation import BotToken, Installation
from bot.ports.announcer import NotAnnounced
from bot.ports.clock import Clock
from bot.ports.installations import InstallationsUnavailable, Lease, Stored
from bot.ports.slack import NotInstalled, Slack, SlackRefused, SlackUnavailable
from bot.system_clock import SystemClock

TOKEN_SECONDS = 43_200.0
GRACE_SECONDS = 10.0
"""Slack says "short" and no more. Shorter than a lease: nothing may depend on its being longer."""


def installation(
    team: str = "T1",
    enterprise: str = "",
    installed_at: float = 1_000.0,
    bot: BotToken | None = None,
    name: str = "Acme",
) -> Installation:
    """An installation with a token of its own."""
    return Installation(
        team=team,
        enterprise=enterprise,
        name=name,
        app_id="A1",
        bot_user_id="UBOT",
        scopes=("chat:write", "commands"),
        installer="U1",
        installed_at=installed_at,
        bot=bot or BotToken(f"xoxb-{team or enterprise}"),
    )


@dataclass
class Row:
    """What is stored under a key."""

    stored: Stored
    lease_owner: str = ""


class FakeInstallationStore:
    """Implements `InstallationStore`, safe for threads."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.reads = 0
        self.is_down = False
        self.failing_renewals = 0
        """So many renewals are throttled."""
        self._lock = threading.Lock()

    def find(self, team: str, enterprise: str) -> Stored | None:
        """The workspace's own, else its organisation's."""
        with self._lock:
            self.reads += 1
            self._check()
            keys = [key for key in ((team, enterprise), (team, ""), ("", enterprise)) if any(key)]
            return next((self.rows[key].stored for key in keys if key in self.rows), None)

    def save(self, installation: Installation) -> bool:
        """In place of an earlier one."""
        with self._lock:
            self._check()
            key = (installation.team, installation.enterprise)
            row = self.rows.get(key)
            if row is not None and row.stored.installation.installed_at > installation.installed_at:
                return False
            self.rows[key] = Row(Stored(installation, secrets.token_hex(8)))
            return True

    def lease(self, stored: Stored, owner: str, until: float, now: float) -> Lease | None:
        """One at a time."""
        with self._lock:
            self._check()
            row = self._same(stored)
            if row is None or row.stored.lease_until > now:
                return None
            row.stored, row.lease_owner = replace(row.stored, lease_until=until), owner
            return Lease(stored, owner)

    def renew(self, lease: Lease, bot: BotToken) -> bool:
        """With the lease."""
        with self._lock:
            self._check()
            if self.failing_renewals:
                self.failing_renewals -= 1
                raise InstallationsUnavailable("ThrottlingException")
            row = self._same(lease.stored)
            if row is None or row.lease_owner != lease.owner:
                return False
            row.stored = Stored(replace(row.stored.installation, bot=bot), secrets.token_hex(8))
            row.lease_owner = ""
            return True

    def release(self, lease: Lease) -> None:
        """If it still is the owner's."""
        with self._lock:
            self._check()
            row = self._same(lease.stored)
            if row is not None and row.lease_owner == lease.owner:
                row.stored, row.lease_owner = replace(row.stored, lease_until=0.0), ""

    def remove(self, stored: Stored) -> bool:
        """Unless it is another by now."""
        with self._lock:
            self._check()
            key = (stored.installation.team, stored.installation.enterprise)
            if key in self.rows and self._same(stored) is None:
                return False
            self.rows.pop(key, None)
            return True

    def _same(self, stored: Stored) -> Row | None:
        row = self.rows.get((stored.installation.team, stored.installation.enterprise))
        return row if row is not None and row.stored.revision == stored.revision else None

    def _check(self) -> None:
        if self.is_down:
            raise InstallationsUnavailable("InternalServerError")


class FakeInstallStates:
    """Implements `InstallStates`."""

    def __init__(self) -> None:
        self.states: dict[str, float] = {}

    def issue(self, state: str, expires_at: float) -> None:
        """Remember."""
        self.states[state] = expires_at

    def consume(self, state: str, now: float) -> Lease | None:
        """Once."""
        return self.states.pop(state, 0.0) > now


@dataclass
class Grant:
    """One installation's tokens at Slack: the newest two are good; a used refresh token stays good for a moment."""

    access: list[BotToken] = field(default_factory=list)
    refresh_tokens: dict[str, float] = field(default_factory=dict)
    """Refresh tokens, and until when they work."""


class FakeSlackOAuth:
    """Implements `SlackOAuth` as Slack describes it. `lost_answers`: so many refreshes happen, unheard of."""

    def __init__(self, clock: Clock, grace_seconds: float = GRACE_SECONDS) -> None:
        self._clock = clock
        self._grace_seconds = grace_seconds
        self.grants: list[Grant] = []
        self.codes: dict[str, Installation] = {}
        self.refreshes = 0
        self.lost_answers = 0
        self.is_down = False
        self.refusal: str | None = None
        self.uninstalled: list[str] = []
        self._numbers = 0
        self._lock = threading.Lock()

    def issue(self) -> BotToken:
        """The tokens of a new installation."""
        with self._lock:
            grant = Grant()
            self.grants.append(grant)
            return self._issue(grant)

    def exchange(self, code: str, redirect_uri: str) -> Installation:
        """Once."""
        self._check()
        found = self.codes.pop(code, None)
        if found is None:
            raise SlackRefused("invalid_code")
        return found

    def refresh(self, refresh_token: str) -> BotToken:
        """A new pair."""
        self._check()
        with self._lock:
            now = self._clock.now()
            for grant in self.grants:
                if grant.refresh_tokens.get(refresh_token, 0.0) > now:
                    self.refreshes += 1
                    grant.refresh_tokens[refresh_token] = min(
                        grant.refresh_tokens[refresh_token], now + self._grace_seconds
                    )
                    token = self._issue(grant)
                    if self.lost_answers:
                        self.lost_answers -= 1
                        raise SlackUnavailable("TimeoutError")
                    return token
            raise SlackRefused("invalid_refresh_token")

    def accepts(self, token: str) -> bool:
        """Whether it is good now."""
        self._check()
        now = self._clock.now()
        return any(
            one.token == token and (one.expires_at is None or one.expires_at > now)
            for grant in self.grants
            for one in grant.access
        )

    def uninstall(self, token: str) -> None:
        """All its tokens end."""
        self._check()
        self.uninstalled.append(token)
        self.grants = [grant for grant in self.grants if all(one.token != token for one in grant.access)]

    def _issue(self, grant: Grant) -> BotToken:
        self._numbers += 1
        now = self._clock.now()
        token = BotToken(f"xoxe.xoxb-{self._numbers}", f"xoxe-{self._numbers}", now + TOKEN_SECONDS)
        grant.access = [*grant.access, token][-2:]
        grant.refresh_tokens[f"xoxe-{self._numbers}"] = float("inf")
        return token

    def _check(self) -> None:
        if self.is_down:
            raise SlackUnavailable("TimeoutError")
        if self.refusal is not None:
            raise SlackRefused(self.refusal)


class NotInstalledSlack:
    """Slack in a workspace without the app: whatever is called but a response URL, which needs no token."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    def __getattr__(self, name: str) -> Any:
        if name == "respond":
            return self._slack.respond

        def refuse(*arguments: Any, **named: Any) -> Any:
            raise NotInstalled("not_installed")

        return refuse


class FakeWorkspaces:
    """Implements `Workspaces`: one fake Slack for all of them, but for those where the app is not installed."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self.asked: list[tuple[str, str]] = []
        self.gone: set[str] = set()

    def slack_for(self, team: str, enterprise: str) -> Slack:
        """Slack there."""
        self.asked.append((team, enterprise))
        return NotInstalledSlack(self._slack) if team in self.gone else self._slack  # type: ignore[return-value]


def bot_tokens(store: FakeInstallationStore | None = None, **own: str) -> BotTokens:
    """The tokens of what is in a store; `own` is the one of a secret, by team."""
    clock = SystemClock()
    [(team, token)] = own.items() or [("", "")]
    own_token = OwnToken(team, token) if team else None
    return BotTokens(store or FakeInstallationStore(), FakeSlackOAuth(clock), clock, own_token)


class FakeAnnouncer:
    """Implements `InstallationAnnouncer`."""

    def __init__(self) -> None:
        self.announced: list[Installation] = []
        self.is_down = False

    def announce(self, installation: Installation) -> None:
        """Remember."""
        if self.is_down:
            raise NotAnnounced("ThrottlingException")
        self.announced.append(installation)
