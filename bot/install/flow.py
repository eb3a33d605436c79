"""The two halves of an installation: on the way to Slack, and back from it."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlencode, urljoin

from bot.admission import Admission
from bot.installation import Installation
from bot.logs import log
from bot.ports.announcer import InstallationAnnouncer, NotAnnounced
from bot.ports.clock import Clock
from bot.ports.installations import InstallationStore, InstallationsUnavailable, InstallStates
from bot.ports.oauth import SlackOAuth
from bot.ports.slack import SlackRefused, SlackUnavailable
from commands.manifest import BOT_SCOPES

STATE_SECONDS = 600
"""How long somebody may take to decide on Slack's page."""


class Problem(Enum):
    """Why there is no installation."""

    NOT_SET_UP = "not_set_up"
    CANCELLED = "cancelled"
    REFUSED_BY_SLACK = "refused_by_slack"
    OTHER_BROWSER = "other_browser"
    TOO_OLD = "too_old"
    NO_CODE = "no_code"
    CODE_REFUSED = "code_refused"
    NOT_ADMITTED = "not_admitted"
    NOT_TAKEN_OUT = "not_taken_out"
    """Not admitted either, and Slack did not take the app out of there again."""
    SLACK_UNAVAILABLE = "slack_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"


class InstallFailed(Exception):
    """It did not work. `name` and `id` say which workspace or organisation, where that is known."""

    def __init__(self, problem: Problem, name: str = "", id: str = "") -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.name = name
        self.id = id


@dataclass(frozen=True)
class InstallPorts:
    """The ports; who may install; and the app's own id at Slack."""

    states: InstallStates
    installations: InstallationStore
    oauth: SlackOAuth
    announcer: InstallationAnnouncer
    clock: Clock
    admission: Admission
    client_id: str
    slack_api_url: str


@dataclass(frozen=True)
class Departure:
    """Where the browser goes, and the state that it must bring back."""

    authorize_url: str = field(repr=False)
    state: str = field(repr=False)


def begin_install(ports: InstallPorts, redirect_uri: str) -> Departure:
    """Send somebody to Slack's page; raises `InstallFailed`."""
    if not ports.client_id:
        raise InstallFailed(Problem.NOT_SET_UP)
    state = secrets.token_urlsafe(32)
    try:
        ports.states.issue(state, ports.clock.now() + STATE_SECONDS)
    except InstallationsUnavailable as error:
        log.error("state not stored", extra={"code": str(error)})
        raise InstallFailed(Problem.STORE_UNAVAILABLE) from error
    query = {
        "client_id": ports.client_id,
        "scope": ",".join(sorted(BOT_SCOPES)),
        "redirect_uri": redirect_uri,
        "state": state,
    }
    return Departure(f"{urljoin(ports.slack_api_url, '../oauth/v2/authorize')}?{urlencode(query)}", state)


def finish_install(
    ports: InstallPorts, query: Mapping[str, str], state_of_browser: str, redirect_uri: str
) -> Installation:
    """Take in what Slack's page sent somebody back with; returns what is installed now. Raises `InstallFailed`.

    `state_of_browser` is from the browser's cookie: a link that somebody else has begun installs nothing.
    """
    if not ports.client_id:
        raise InstallFailed(Problem.NOT_SET_UP)
    _check_state(ports, query.get("state", ""), state_of_browser)
    if query.get("error"):
        raise InstallFailed(Problem.CANCELLED if query["error"] == "access_denied" else Problem.REFUSED_BY_SLACK)
    if not query.get("code"):
        raise InstallFailed(Problem.NO_CODE)
    installation = _exchange(ports, query["code"], redirect_uri)
    facts = {"workspace": installation.id, "installer": installation.installer}
    if not ports.admission.admits(installation.team, installation.enterprise):
        log.warning("not admitted", extra=facts)
        raise InstallFailed(_take_out(ports, installation), installation.name, installation.id)
    try:
        ports.installations.save(installation)
        # Should this fail, the person installs anew: stored again, announced again.
        ports.announcer.announce(installation)
    except (InstallationsUnavailable, NotAnnounced) as error:
        log.error("installation not stored", extra={**facts, "problem": type(error).__name__, "code": str(error)})
        raise InstallFailed(Problem.STORE_UNAVAILABLE, installation.name, installation.id) from error
    log.info("installed", extra={**facts, "is_org_wide": installation.is_org_wide})
    return installation


def _take_out(ports: InstallPorts, installation: Installation) -> Problem:
    """Take the app out of where it may not be; which problem that leaves."""
    try:
        ports.oauth.uninstall(installation.bot.token)
    except (SlackRefused, SlackUnavailable) as error:
        log.error("app not taken out again", extra={"workspace": installation.id, "code": str(error)})
        return Problem.NOT_TAKEN_OUT
    return Problem.NOT_ADMITTED


def _check_state(ports: InstallPorts, state: str, state_of_browser: str) -> None:
    if not state or not hmac.compare_digest(state.encode(), state_of_browser.encode()):
        raise InstallFailed(Problem.OTHER_BROWSER)
    try:
        is_good = ports.states.consume(state, ports.clock.now())
    except InstallationsUnavailable as error:
        log.error("state not read", extra={"code": str(error)})
        raise InstallFailed(Problem.STORE_UNAVAILABLE) from error
    if not is_good:
        raise InstallFailed(Problem.TOO_OLD)


def _exchange(ports: InstallPorts, code: str, redirect_uri: str) -> Installation:
    try:
        return ports.oauth.exchange(code, redirect_uri)
    except SlackRefused as refused:
        log.warning("code refused", extra={"code": refused.code})
        raise InstallFailed(Problem.CODE_REFUSED) from refused
    except SlackUnavailable as error:
        log.warning("code not exchanged", extra={"problem": str(error)})
        raise InstallFailed(Problem.SLACK_UNAVAILABLE) from error
