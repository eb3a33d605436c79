"""The app as Slack knows it: where it is installed, and the codes and tokens that were given out for it.

Several workspaces of one server share it, as they share Slack's API: the token says which of them is meant.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.local.slack.entities import Json
from deploy.local.slack.errors import SlackError
from deploy.local.slack.manifest import Manifest

if TYPE_CHECKING:
    from deploy.local.slack.settings import WorkspaceSettings
    from deploy.local.slack.web_api.arguments import Arguments
    from deploy.local.slack.workspace import Workspace

CODE_SECONDS = 600.0
MAX_ACTIVE_TOKENS = 2
"""https://docs.slack.dev/authentication/using-token-rotation: an older one is revoked."""


@dataclass
class AccessToken:
    """A bot token. `ends_monotonic` None: it never ends. `refusal`: what Slack says of it once it is no longer good."""

    token: str = field(repr=False)
    place: str
    """Where it is from: a workspace's id, or an organisation's."""
    ends_monotonic: float | None = None
    refusal: str | None = None

    def check(self) -> None:
        """Raises `SlackError` for one that is no longer good."""
        if self.refusal is not None:
            raise SlackError(self.refusal)
        if self.ends_monotonic is not None and time.monotonic() >= self.ends_monotonic:
            raise SlackError("token_expired")


@dataclass
class RefreshToken:
    """Works until it is used and a short grace period is over."""

    place: str
    ends_monotonic: float | None = None


@dataclass
class Code:
    """Somebody allowed the app. `place` is the workspace's id, or the organisation's."""

    place: str
    member: str
    redirect_uri: str
    scopes: str
    made_monotonic: float


class SlackApp:
    """One app. Its workspaces are added as they are made; those of one organisation name the same `enterprise_id`."""

    def __init__(self, settings: WorkspaceSettings) -> None:
        self.manifest: Manifest = settings.manifest
        self.app_id = settings.app_id
        self.client_id = settings.client_id
        self.client_secret = settings.client_secret
        self.signing_secret = settings.signing_secret
        self.redirect_urls: list[str] = list(settings.manifest.redirect_urls)
        self.token_seconds = settings.token_seconds
        self.grace_seconds = settings.refresh_grace_seconds
        self.workspaces: dict[str, Workspace] = {}
        self._tokens: dict[str, AccessToken] = {}
        self._refresh_tokens: dict[str, RefreshToken] = {}
        self._codes: dict[str, Code] = {}
        self._installed: set[str] = set()

    def set_request_url(self, url: str | None) -> None:
        """Where everything goes, from all workspaces, instead of to the URLs in the manifest."""
        for workspace in self.workspaces.values():
            workspace.deliverer.request_url = url

    # Where it is installed

    def add(self, workspace: Workspace) -> None:
        """A workspace, as at the start: with the app installed by hand, or without."""
        settings = workspace.settings
        self.workspaces[settings.team_id] = workspace
        self.uninstall(settings.team_id)
        if settings.is_installed:
            self.install_by_hand(workspace)

    def install_by_hand(self, workspace: Workspace) -> None:
        """As by the button in the app's own settings: with a token that never ends, always the same."""
        settings = workspace.settings
        self._installed.add(settings.team_id)
        self._tokens[settings.bot_token] = AccessToken(settings.bot_token, settings.team_id)

    def place_serving(self, workspace: Workspace) -> str | None:
        """The installation that serves a workspace: its own, else its organisation's (by id), else None."""
        settings = workspace.settings
        return next((place for place in (settings.team_id, settings.enterprise_id) if place in self._installed), None)

    def workspaces_of(self, place: str) -> list[Workspace]:
        """The workspaces that an installation serves."""
        return [
            workspace
            for workspace in self.workspaces.values()
            if place in {workspace.settings.team_id, workspace.settings.enterprise_id}
        ]

    def uninstall(self, place: str) -> None:
        """All its tokens end at once."""
        self._installed.discard(place)
        self._end(place, "account_inactive")
        self._refresh_tokens = {text: one for text, one in self._refresh_tokens.items() if one.place != place}

    def revoke(self, token: AccessToken) -> None:
        """One token ends. The installation stays where tokens rotate; else it was its only one."""
        token.refusal = "token_revoked"
        if token.ends_monotonic is None:
            self._installed.discard(token.place)

    def expire_tokens(self, place: str) -> None:
        """Every token of an installation that would end some time ends now."""
        for token in self._tokens.values():
            if token.place == place and token.ends_monotonic is not None:
                token.ends_monotonic = time.monotonic()

    # Tokens

    def token(self, text: str) -> AccessToken:
        """A token by its text, good or not; raises `invalid_auth`."""
        found = self._tokens.get(text)
        if found is None:
            raise SlackError("invalid_auth")
        return found

    def workspace_of(self, token: AccessToken, arguments: Arguments) -> Workspace:
        """The workspace that a call is about. An organisation's token names it by `team_id`, or by what it touches."""
        served = self.workspaces_of(token.place)
        if len(served) == 1:
            return served[0]
        team_id = arguments.text("team_id")
        if team_id:
            for workspace in served:
                if workspace.settings.team_id == team_id:
                    return workspace
            raise SlackError("team_access_not_granted")
        channel = arguments.text("channel") or arguments.text("channel_id")
        file, view = arguments.text("file"), arguments.text("view_id")
        for workspace in served:
            views = [one.id for stack in workspace.modals.values() for one in stack]
            if channel in workspace.channels or file in workspace.files or view in views:
                return workspace
        return served[0]

    # OAuth

    def check_authorization(self, client_id: str, redirect_uri: str) -> None:
        """What Slack looks at before it shows its page; raises `SlackError`."""
        if client_id != self.client_id:
            raise SlackError("invalid_client_id")
        if not any(_is_below(redirect_uri, allowed) for allowed in self.redirect_urls):
            raise SlackError("bad_redirect_uri")

    def allow(self, workspace: Workspace, member: str, redirect_uri: str, scopes: str, is_org_wide: bool) -> str:
        """A member allows the app; returns the code. Raises `SlackError` for who may not."""
        person = workspace.member(member)
        place = workspace.settings.enterprise_id if is_org_wide else workspace.settings.team_id
        if person.is_guest or person.is_bot or (is_org_wide and not person.is_admin):
            raise SlackError("not_allowed_to_install")
        if place is None or (is_org_wide and not self.manifest.org_deploy):
            raise SlackError("not_an_organisation")
        unknown = set(scopes.split(",")) - self.manifest.bot_scopes
        if unknown:
            raise SlackError("invalid_scope", needed=",".join(sorted(unknown)))
        code = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(32)}"
        self._codes[code] = Code(place, person.id, redirect_uri, scopes, time.monotonic())
        return code

    def exchange(self, client_id: str, client_secret: str, arguments: Arguments) -> Json:
        """`oauth.v2.access`: a code for the first tokens, or a refresh token for the next ones."""
        if client_id != self.client_id:
            raise SlackError("invalid_client_id")
        if not secrets.compare_digest(client_secret.encode(), self.client_secret.encode()):
            raise SlackError("bad_client_secret")
        match arguments.text("grant_type", "authorization_code"):
            case "refresh_token":
                return self._refresh(arguments.text("refresh_token"))
            case "authorization_code":
                return self._redeem(arguments.text("code"), arguments.text("redirect_uri"))
            case _:
                raise SlackError("invalid_grant_type")

    def _redeem(self, text: str, redirect_uri: str) -> Json:
        code = self._codes.pop(text, None)
        if code is None or time.monotonic() - code.made_monotonic > CODE_SECONDS:
            raise SlackError("invalid_code")
        if code.redirect_uri != redirect_uri:
            raise SlackError("bad_redirect_uri")
        self._installed.add(code.place)
        answer = self._tokens_answer(code.place)
        answer["scope"] = code.scopes
        answer["authed_user"] = {"id": code.member}
        for workspace in self.workspaces_of(code.place):
            workspace.feed.announce("app", {})
        return answer

    def _refresh(self, text: str) -> Json:
        token = self._refresh_tokens.get(text)
        now = time.monotonic()
        is_over = token is not None and token.ends_monotonic is not None and token.ends_monotonic <= now
        if token is None or is_over or token.place not in self._installed:
            raise SlackError("invalid_refresh_token")
        if token.ends_monotonic is None:
            token.ends_monotonic = now + self.grace_seconds
        return self._tokens_answer(token.place)

    def _tokens_answer(self, place: str) -> Json:
        workspace = self.workspaces_of(place)[0]
        settings = workspace.settings
        is_org_wide = place == settings.enterprise_id
        rotates = self.manifest.token_rotation
        text = f"{'xoxe.' if rotates else ''}xoxb-local-{secrets.token_hex(16)}"
        ends = time.monotonic() + self.token_seconds if rotates else None
        self._tokens[text] = AccessToken(text, place, ends)
        answer: Json = {
            "ok": True,
            "access_token": text,
            "token_type": "bot",
            "scope": ",".join(sorted(self.manifest.bot_scopes)),
            "bot_user_id": settings.bot_user_id,
            "app_id": self.app_id,
            "team": None if is_org_wide else {"id": settings.team_id, "name": settings.team_name},
            "enterprise": workspace.enterprise_json(),
            "is_enterprise_install": is_org_wide,
        }
        if rotates:
            refresh = f"xoxe-1-local-{secrets.token_hex(24)}"
            self._refresh_tokens[refresh] = RefreshToken(place)
            answer |= {"expires_in": int(self.token_seconds), "refresh_token": refresh}
            good = [one for one in self._tokens.values() if one.place == place and one.refusal is None]
            for older in [one for one in good if one.ends_monotonic is not None][:-MAX_ACTIVE_TOKENS]:
                older.refusal = "token_revoked"
        return answer

    def _end(self, place: str, refusal: str) -> None:
        for token in self._tokens.values():
            if token.place == place:
                token.refusal = refusal


def _is_below(url: str, allowed: str) -> bool:
    base = allowed.rstrip("/")
    return url == base or url.startswith((f"{base}/", f"{base}?"))
