"""Where the app is installed, and the states of installations under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.installation import BotToken, Installation


class InstallationsUnavailable(Exception):
    """The store did not answer, or can't decrypt what it holds. The text is AWS's own code, and never a token."""


@dataclass(frozen=True)
class Stored:
    """An installation as it is stored. `revision` changes with every change of its tokens."""

    installation: Installation
    revision: str
    lease_until: float = 0.0
    """Until then (Unix seconds) somebody is at renewing its token."""


@dataclass(frozen=True)
class Lease:
    """The right to renew a token. `key`: what the store seals the new token with. It is fetched with the lease, so that
    of all that may fail only the write comes after Slack has given the token out.
    """

    stored: Stored
    owner: str
    key: Any = field(default=None, repr=False)


class InstallationStore(Protocol):
    """Installations. `enterprise` is empty for a workspace of no organisation. Raises `InstallationsUnavailable`."""

    def find(self, team: str, enterprise: str) -> Stored | None:
        """The workspace's own installation, else its organisation's, else None. Without a team: the organisation's."""
        ...

    def save(self, installation: Installation) -> bool:
        """Store it in place of an earlier one; False (and nothing happens) where a later one is stored."""
        ...

    def lease(self, stored: Stored, owner: str, until: float, now: float) -> Lease | None:
        """Take the right to renew the token. None where it is taken, or the stored revision is another by now."""
        ...

    def renew(self, lease: Lease, bot: BotToken) -> bool:
        """Replace the token. False (and nothing happens) where the lease is not the owner's or the revision another.

        May be repeated with the same token when it has raised.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back without a new token, if it still is the owner's."""
        ...

    def remove(self, stored: Stored) -> bool:
        """Delete it with its tokens. False (and nothing happens) where the stored revision is another by now."""
        ...


class InstallStates(Protocol):
    """One-time states of installations that are under way. Raises `InstallationsUnavailable`."""

    def issue(self, state: str, expires_at: float) -> None:
        """Remember a state."""
        ...

    def consume(self, state: str, now: float) -> bool:
        """Forget it; whether it was there and not too old. The second time it is not there."""
        ...
