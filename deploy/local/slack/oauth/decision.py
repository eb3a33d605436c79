"""What somebody decides on the page, and where that sends the browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from deploy.local.slack.workspace import Workspace


@dataclass(frozen=True)
class Authorization:
    """What the app asks for, in the address of the page."""

    client_id: str
    scopes: str
    redirect_uri: str
    state: str

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Authorization:
        """From a query or a form."""
        return cls(
            values.get("client_id", ""),
            values.get("scope", ""),
            values.get("redirect_uri", ""),
            values.get("state", ""),
        )

    @classmethod
    def of_url(cls, url: str) -> Authorization:
        """From the page's address."""
        return cls.read({name: given[0] for name, given in parse_qs(urlsplit(url).query).items()})

    def returning(self, **answer: str) -> str:
        """Where the browser goes with an answer."""
        separator = "&" if urlsplit(self.redirect_uri).query else "?"
        return f"{self.redirect_uri}{separator}{urlencode({**answer, 'state': self.state})}"


def decide(workspace: Workspace, asked: Authorization, member: str, is_allowed: bool, is_org_wide: bool = False) -> str:
    """Where the browser goes when a member has decided; raises `SlackError` for what Slack shows no button for."""
    workspace.app.check_authorization(asked.client_id, asked.redirect_uri)
    if not is_allowed:
        return asked.returning(error="access_denied")
    code = workspace.app.allow(workspace, member, asked.redirect_uri, asked.scopes, is_org_wide)
    return asked.returning(code=code)
