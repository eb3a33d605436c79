"""Ways to assume a role, good and bad. The simulator and the local AWS are both asked about each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Attempt:
    """A call of `sts:AssumeRole`; None: not given."""

    external_id: str | None
    session_name: str
    source_identity: str | None
    tags: dict[str, str] = field(default_factory=dict)

    def context(self) -> dict[str, str | list[str]]:
        """The condition keys that it brings."""
        given: dict[str, str | list[str] | None] = {
            "sts:ExternalId": self.external_id,
            "sts:RoleSessionName": self.session_name,
            "sts:SourceIdentity": self.source_identity,
            **{f"aws:RequestTag/{key}": value for key, value in self.tags.items()},
            "aws:TagKeys": list(self.tags) or None,
        }
        return {key: value for key, value in given.items() if value is not None}

    def actions(self) -> list[str]:
        """What AWS asks the role's trust policy about."""
        return [
            "sts:AssumeRole",
            *(["sts:TagSession"] if self.tags else []),
            *(["sts:SetSourceIdentity"] if self.source_identity else []),
        ]

    def arguments(self) -> dict[str, object]:
        """For botocore's `assume_role`, without the role."""
        given = {
            "ExternalId": self.external_id,
            "RoleSessionName": self.session_name,
            "SourceIdentity": self.source_identity,
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()] or None,
        }
        return {key: value for key, value in given.items() if value is not None}


def of_workspace(workspace: str) -> Attempt:
    """As the worker does it for a member of this workspace."""
    return Attempt(
        external_id=workspace,
        session_name=f"{workspace}.U1.C1",
        source_identity=f"{workspace}.U1",
        tags={"workspace": workspace, "channel": "C1", "member": "U1"},
    )


GOOD = of_workspace("T1")
ALLOWED = {
    "as the worker does": GOOD,
    "a session without a place": replace(GOOD, session_name="T1.U1"),
    "a session with a user group": replace(GOOD, session_name="T1.U1.C1.S1"),
}
REFUSED = {
    "another workspace's external id": replace(GOOD, external_id="T2"),
    "an external id that begins alike": replace(GOOD, external_id="T12"),
    "no external id": replace(GOOD, external_id=None),
    "a session of another workspace": replace(GOOD, session_name="T2.U1.C1"),
    "a session of a workspace that begins alike": replace(GOOD, session_name="T12.U1.C1"),
    "a session that names the workspace later": replace(GOOD, session_name="T2.T1.U1"),
    "a session without a member": replace(GOOD, session_name="T1"),
    "no source identity": replace(GOOD, source_identity=None),
    "a source identity of another workspace": replace(GOOD, source_identity="T2.U1"),
    "a source identity without a member": replace(GOOD, source_identity="T1"),
    "another workspace's tag": replace(GOOD, tags={**GOOD.tags, "workspace": "T2"}),
    "no tag for the workspace": replace(GOOD, tags={"channel": "C1", "member": "U1"}),
    "no tags": replace(GOOD, tags={}),
    "a tag too many": replace(GOOD, tags={**GOOD.tags, "department": "finance"}),
    "nothing but a name": Attempt(None, "T1.U1", None),
    "an org in the place of the workspace": of_workspace("E1"),
}
