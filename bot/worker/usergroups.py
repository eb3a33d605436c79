"""Which user groups somebody is in, as Slack says; what it said is good for some minutes."""

from __future__ import annotations

from collections.abc import Mapping

from bot.ports.clock import Clock
from bot.ports.slack import SlackPeople

FRESH_SECONDS = 180.0
MAX_KEPT = 200


class UserGroups:
    """The user groups of workspaces. Whoever leaves one loses what it grants some minutes later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, Mapping[str, frozenset[str]]]] = {}

    def of(self, slack: SlackPeople, team: str) -> Mapping[str, frozenset[str]]:
        """The members of each group of the workspace; raises `SlackRefused` and `SlackUnavailable`."""
        kept = self._kept.get(team)
        now = self._clock.now()
        if kept is not None and now - kept[0] < FRESH_SECONDS:
            return kept[1]
        return self.ask(slack, team)

    def ask(self, slack: SlackPeople, team: str) -> Mapping[str, frozenset[str]]:
        """As `of`, but asked of Slack now."""
        groups = slack.list_usergroups()
        self._kept.pop(team, None)
        while len(self._kept) >= MAX_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[team] = (self._clock.now(), groups)
        return groups
