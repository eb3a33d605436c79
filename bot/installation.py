"""The app installed somewhere: in a workspace, or in all of an organisation's (Grid) at once."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class BotToken:
    """What the bot calls Slack with. `expires_at` (Unix seconds) and `refresh_token` are None where it never ends."""

    token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


@dataclass(frozen=True)
class Installation:
    """One installation. `team` is empty where the app was installed for a whole organisation, `enterprise` where the
    workspace belongs to none. `name` is the workspace's or the organisation's. `installed_at` is in Unix seconds.
    """

    team: str
    enterprise: str
    name: str
    app_id: str
    bot_user_id: str
    scopes: tuple[str, ...]
    installer: str
    installed_at: float
    bot: BotToken

    @property
    def is_org_wide(self) -> bool:
        """Whether it serves every workspace of its organisation."""
        return not self.team

    @property
    def id(self) -> str:
        """The `T…` or `E…` id of what it was installed in; its tokens can be decrypted under this id alone."""
        return self.team or self.enterprise
