"""Telling the backend that the app was installed."""

from __future__ import annotations

from typing import Protocol

from bot.installation import Installation


class NotAnnounced(Exception):
    """The event was not taken."""


class InstallationAnnouncer(Protocol):
    """Announces installations, so that whoever installed the app becomes its first admin."""

    def announce(self, installation: Installation) -> None:
        """Returns once the event will be delivered, perhaps more than once; raises `NotAnnounced`."""
        ...
