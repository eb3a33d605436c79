"""Grants, denies and the audit trail in memory. They behave like the adapter: the same contract tests run over both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock

from backend_lambda.access_ports import AccessChange, AccessOvertaken, AccessPorts, AuditPage, OwnRole, TenantAccess
from backend_lambda.callers import RoleStanding
from backend_lambda.contract.access import AuditEntry, BlockedWords, Entry
from backend_lambda.ports import Clock

STACK_ROLES = {
    name: f"arn:aws:iam::123456789012:role/easel-{name}" for name in ("artist", "trainer", "operator", "admin")
}
API_ARN = "arn:aws:execute-api:us-east-1:123456789012:abcdefghij/v1"


class FakeAccessStore:
    """`AccessStore` in memory; one lock makes every call atomic, as DynamoDB's transactions are.

    `meanwhile` runs once, before the next write: what somebody else does between a read and the write that follows.
    """

    def __init__(self) -> None:
        self.tenants: dict[str, TenantAccess] = {}
        self.records: dict[str, list[AuditEntry]] = {}
        self.roles: dict[OwnRole, dict[str, datetime | None]] = {}
        self.meanwhile: Callable[[], object] | None = None
        self._lock = Lock()

    def read(self, tenant: str) -> TenantAccess:
        with self._lock:
            return self.tenants.get(tenant, TenantAccess((), BlockedWords(words=[]), 0))

    def write(self, tenant: str, change: AccessChange, *, version: int) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        with self._lock:
            current = self.tenants.get(tenant, TenantAccess((), BlockedWords(words=[]), 0))
            if current.version != version:
                raise AccessOvertaken
            entries = {entry.key: entry for entry in current.entries}
            if change.put is not None:
                entries[change.put.key] = Entry.model_validate_json(change.put.model_dump_json())
            if change.removed is not None:
                entries.pop(change.removed, None)
            ordered = tuple(entries[key] for key in sorted(entries))
            self.tenants[tenant] = TenantAccess(ordered, change.words or current.words, version + 1, done=change.done)
            self.records.setdefault(tenant, []).append(change.record)
            for role, ends_at in change.speaking:
                self.roles.setdefault(role, {})[tenant] = ends_at

    def standing(self, role: OwnRole, tenant: str, now: datetime) -> RoleStanding:
        with self._lock:
            tenants = self.roles.get(role, {})
            if tenant not in tenants:
                return RoleStanding.SILENT if tenants else RoleStanding.UNKNOWN
            ends_at = tenants[tenant]
            return RoleStanding.SPEAKS if ends_at is None or now < ends_at else RoleStanding.SILENT

    def audit(self, tenant: str, *, limit: int, after: str | None, member: str | None) -> AuditPage:
        with self._lock:
            known = list(self.records.get(tenant, []))
        orders = {f"{entry.at.isoformat(timespec='microseconds')}#{entry.id}": entry for entry in known}
        found = [
            order
            for order in sorted(orders, reverse=True)
            if (after is None or order < after)
            and (member is None or member == orders[order].member or orders[order].subject == f"member#{member}")
        ]
        return AuditPage([orders[order] for order in found[:limit]], found[limit - 1] if len(found) > limit else None)


def access_ports(store: FakeAccessStore, clock: Clock) -> AccessPorts:
    """Nobody waits in tests."""
    return AccessPorts(store, clock, lambda seconds: None)
