"""What becomes of an installation that Slack says has ended. Jobs, pictures, grants stay: only the tokens go.

Slack sends `app_uninstalled` and `tokens_revoked` in any order, more than once, and perhaps after the app has been
installed anew (https://docs.slack.dev/reference/events/app_uninstalled). With token rotation a single token can be
revoked while the installation stays. So an event from before the installation says nothing, and any other is a reason
to ask: the installation has ended when Slack neither takes the token any more nor gives a new one for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.bot_tokens import BotTokens
from bot.invocation import Invocation, Kind
from bot.logs import log
from bot.ports.installations import InstallationStore, Stored
from bot.ports.oauth import SlackOAuth
from bot.ports.slack import NotInstalled

LIFECYCLE = frozenset({Kind.UNINSTALLED, Kind.TOKENS_REVOKED})
CLOCK_SLACK_SECONDS = 5.0
"""By so much our clock and Slack's may differ: an event so close to the installation may be from before it."""
TRIES = 5


@dataclass(frozen=True)
class InstallationDeps:
    """Where installations are, and who says whether a token is good, or gives a new one."""

    installations: InstallationStore
    oauth: SlackOAuth
    tokens: BotTokens


class ChangedMeanwhile(Exception):
    """The installation changed each time that it was about to be removed: come again."""


def end_installation(deps: InstallationDeps, invocation: Invocation) -> None:
    """Remove the installation that an event is about, unless it has not ended. Safe to repeat.

    An event in an organisation may be about the workspace's installation or the organisation's, whichever it names:
    both are looked at. Raises `SlackUnavailable` and `InstallationsUnavailable`.
    """
    if invocation.team:
        _end(deps, invocation, invocation.team)
    if invocation.enterprise:
        _end(deps, invocation, "")


def _end(deps: InstallationDeps, invocation: Invocation, team: str) -> None:
    """Remove the workspace's own installation, or without a team the organisation's, if it has ended."""
    facts = {"team": team, "enterprise": invocation.enterprise, "event": invocation.kind.value}
    for _ in range(TRIES):
        stored = deps.installations.find(team, invocation.enterprise)
        if stored is None or stored.installation.is_org_wide != (not team):
            log.info("not installed", extra=facts)
            return
        if not _has_ended(deps, stored, invocation):
            log.info("installation stays", extra=facts)
            return
        if deps.installations.remove(stored):
            log.info("installation ended", extra=facts)
            return
    raise ChangedMeanwhile


def _has_ended(deps: InstallationDeps, stored: Stored, invocation: Invocation) -> bool:
    installation = stored.installation
    if invocation.at < installation.installed_at - CLOCK_SLACK_SECONDS:
        return False
    # Also after an uninstallation: its stamp may be late, and the app installed anew since.
    if deps.oauth.accepts(installation.bot.token):
        return False
    try:
        deps.tokens.newer_than(installation.bot.token, installation.team, installation.enterprise)
    except NotInstalled:
        return True
    return False
