"""Who may do what, set by the operator: the same entries and audit records that the API writes.

An operator needs this where nobody can speak for a workspace yet (or any more), and for organisations, which no
workspace may change.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend_lambda.access_ports import AccessPorts
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry, GrantPart, Limits, PutDeny, PutGrant
from backend_lambda.contract.actions import ROLE_ACTIONS
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.stack_roles import ADMIN
from backend_lambda.usecases.list_entries import list_entries
from backend_lambda.usecases.put_deny import put_deny
from backend_lambda.usecases.put_grant import put_grant
from backend_lambda.usecases.refusals import FieldRefused
from backend_lambda.usecases.remove_entry import remove_entry
from backend_lambda.wiring import SystemClock


@dataclass(frozen=True)
class Operator:
    """Whoever runs this: `arn` is the principal as STS names it, and what the audit trail says."""

    arn: str
    ports: AccessPorts
    stack_roles: Mapping[str, str]

    @classmethod
    def of(cls, session: Any, outputs: Mapping[str, str]) -> Operator:
        """From a boto3 session and the stack's outputs."""
        dynamodb = session.client("dynamodb")
        store = DynamoAccessStore(lambda: dynamodb, outputs["GrantsTableName"], outputs["AuditTableName"])
        return cls(
            arn=session.client("sts").get_caller_identity()["Arn"],
            ports=AccessPorts(store, SystemClock(), time.sleep),
            stack_roles={name: outputs[f"{name.title()}RoleArn"] for name in ROLE_ACTIONS},
        )

    def grant_workspace(self, team_id: str, role: str, external_id: str | None = None) -> Entry:
        """Let every member of a workspace act under a role: its name, or the ARN of one below `/easel/`."""
        return self._grant(team_id, SubjectKind.WORKSPACE, team_id, role, external_id)

    def grant_admin(self, tenant: str, member_id: str) -> Entry:
        """Make a member an admin of a workspace, or of all workspaces of an organisation."""
        return self._grant(tenant, SubjectKind.MEMBER, member_id, ADMIN)

    def grant_org(self, enterprise_id: str, role: str) -> Entry:
        """Let every member of every workspace of an organisation act under one of the stack's own roles."""
        return self._grant(enterprise_id, SubjectKind.ORG, enterprise_id, role)

    def limit(self, tenant: str, kind: SubjectKind, subject_id: str, limits: Limits) -> Entry:
        """Limit a tenant as a whole (kind `workspace`, the tenant itself) or one member of a workspace; a role that was
        granted stays. This is the only way to limit IAM principals. Raises a `Refusal`.
        """
        if kind is SubjectKind.MEMBER and tenant.startswith("iam-"):
            raise FieldRefused(
                "Whoever assumes a role names the session at will, so only the principal as a whole can be limited.",
                field="member",
                given=subject_id,
                allowed="no --member",
            )
        request = PutGrant(limits=limits, keeps=[GrantPart.ROLE, GrantPart.GUARDRAIL])
        return self._put(tenant, kind, subject_id, request)

    def deny(self, tenant: str, kind: SubjectKind, subject_id: str, reason: str = "") -> Entry:
        """Deny a subject of a workspace, or everybody of an organisation. Raises a `Refusal`."""
        return put_deny(self._as(tenant), kind, subject_id, PutDeny(reason=reason), self.ports)

    def revoke(self, tenant: str, effect: str, kind: str, subject_id: str) -> Entry | None:
        """Remove a workspace's or an organisation's grant or deny; None where there is none. Raises a `Refusal`."""
        return remove_entry(self._as(tenant), Effect(effect), SubjectKind(kind), subject_id, self.ports)

    def grants(self, tenant: str) -> list[Entry]:
        """A workspace's or an organisation's grants and denies."""
        return list_entries(self._as(tenant), self.ports).entries

    def _grant(
        self, tenant: str, kind: SubjectKind, subject_id: str, role: str, external_id: str | None = None
    ) -> Entry:
        """Raises a `Refusal`. The subject's limits stay as they are."""
        request = PutGrant(role=role, external_id=external_id, reason="set by the operator", keeps=[GrantPart.LIMITS])
        return self._put(tenant, kind, subject_id, request)

    def _put(self, tenant: str, kind: SubjectKind, subject_id: str, request: PutGrant) -> Entry:
        return put_grant(
            self._as(tenant),
            kind,
            subject_id,
            request,
            stack_roles=self.stack_roles,
            # It matters for guardrails only.
            api_arn="",
            ports=self.ports,
        )

    def _as(self, tenant: str) -> Caller:
        return Caller(tenant, f"operator:{self.arn.rpartition(':')[2]}", self.arn, is_operator=True)


def describe(entry: Entry) -> str:
    """One line about an entry, for people."""
    said = [f"{entry.effect.value} {entry.kind.value} {entry.id}"]
    if entry.role_arn is not None:
        said.append(entry.role or entry.role_arn)
    said += [f"{name}={value}" for name, value in entry.limits.model_dump(exclude_defaults=True).items()]
    if entry.guardrail is not None:
        actions = ", ".join(action.value for action in entry.guardrail.actions)
        said.append(f"guardrail: {actions} for {', '.join(entry.guardrail.models) or 'any model'}")
    if entry.ends_at is not None:
        said.append(f"until {entry.ends_at:%Y-%m-%d %H:%M} UTC")
    said.append(f"by {entry.made_by} on {entry.made_at:%Y-%m-%d}")
    if entry.reason:
        said.append(f"({entry.reason})")
    return "  ".join(said)
