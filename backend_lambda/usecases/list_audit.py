"""Look through what was changed, and by whom."""

from __future__ import annotations

import re

from backend_lambda.access_ports import AccessPorts
from backend_lambda.callers import Caller
from backend_lambda.contract.access import AuditList
from backend_lambda.usecases.positions import read_position, write_position

_POSITION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00#audit-[0-9a-f]{16}")


def list_audit(
    caller: Caller, ports: AccessPorts, *, limit: int, position: str | None, member: str | None
) -> AuditList:
    """A page of the tenant's audit records, newest first; with `member`, only what they did and what was done about
    them. Raises `FieldRefused` for a position that this caller was not given for this very list.
    """
    scope = f"audit|{caller.tenant}|{member or ''}"
    after = read_position(position, scope, _POSITION, "member") if position is not None else None
    page = ports.store.audit(caller.tenant, limit=limit, after=after, member=member)
    return AuditList(entries=page.records, next=write_position(page.after, scope) if page.after else None)
