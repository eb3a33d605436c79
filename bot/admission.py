"""Whom this deployment serves: the workspaces and organisations that its operator has listed."""

from __future__ import annotations

from dataclasses import dataclass

ANYBODY = "*"


@dataclass(frozen=True)
class Admission:
    """`ids` of workspaces and organisations, or `*`. `own` is the workspace that the app was installed in by hand:
    whoever stored its token has admitted it.
    """

    ids: frozenset[str]
    own: str = ""

    @classmethod
    def read(cls, text: str, own: str = "") -> Admission:
        """Ids separated by commas; nobody is admitted where there are none."""
        return cls(frozenset(one.strip() for one in text.split(",") if one.strip()), own)

    def admits(self, team: str, enterprise: str) -> bool:
        """Whether a workspace is served. An organisation that is admitted is so with all its workspaces."""
        asked = {team, enterprise} - {""}
        return ANYBODY in self.ids or bool(asked & self.ids) or bool(team and team == self.own)
