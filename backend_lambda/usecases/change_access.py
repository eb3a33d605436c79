"""Change who may do what: read, decide, write; and again where somebody else was faster."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from random import uniform
from typing import Any

from pydantic import BaseModel

from backend_lambda.access_ports import AccessChange, AccessOvertaken, AccessPorts, OwnRole, TenantAccess
from backend_lambda.callers import Caller
from backend_lambda.contract.access import AuditEntry, Effect, Entry
from backend_lambda.usecases.admins import check_an_admin_remains, check_the_author_may_undo
from backend_lambda.usecases.refusals import AccessConflict

logger = logging.getLogger(__name__)

ATTEMPTS = 10
KEYS_REMEMBERED = 50
"""So many changes of a tenant are known when they are asked for again."""
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 0.8

Plan = Callable[[TenantAccess, datetime], AccessChange | None]
"""What to write, by what is there and the time; None: all is as it should be. May raise a refusal. Called again for
every attempt.
"""


def change_access(tenant: str, plan: Plan, ports: AccessPorts, once: str | None = None) -> None:
    """Carry out the plan once. Raises what the plan raises, or `AccessConflict` where others were faster every time.

    `once` is an idempotency key: a request that comes again must not undo what others have done since, so the plan
    plans nothing where `once` is among `TenantAccess.done`.
    """
    for attempt in range(ATTEMPTS):
        current = ports.store.read(tenant)
        if current.is_settled:
            change = plan(current, ports.clock.now())
            if change is None:
                return
            done = current.done if once is None else (*current.done, once)[-KEYS_REMEMBERED:]
            try:
                ports.store.write(tenant, replace(change, done=done), version=current.version)
            except AccessOvertaken:
                pass
            else:
                logger.info("access changed", extra=_log_line(tenant, change.record))
                return
        ports.wait(uniform(0, min(_FIRST_WAIT_SECONDS * 2**attempt, _LONGEST_WAIT_SECONDS)))
    raise AccessConflict("Somebody else is changing grants at the same time. Please look again, then try again.")


def replace_entry(
    caller: Caller, current: TenantAccess, key: str, new: Entry | None, now: datetime
) -> AccessChange | None:
    """Puts `new` where `key` is, or removes what is there. None where that changes nothing.

    Raises `LastAdmin`.
    """
    old = current.entry(key)
    if old == new:
        return None
    others = [entry for entry in current.entries if entry.key != key]
    entries = others if new is None else [*others, new]
    check_an_admin_remains(current.entries, entries, now)
    check_the_author_may_undo(caller, current.entries, entries, now)
    effect, _, subject = key.partition("#")
    return AccessChange(
        record=record(caller, now, f"{'remove' if new is None else 'put'}_{effect}", subject, old, new),
        put=new,
        removed=key if new is None else None,
        speaking=tuple(_speaking(caller, [entry for entry in (old, new) if entry is not None], entries, now)),
    )


def record(
    caller: Caller, now: datetime, action: str, subject: str, before: BaseModel | None, after: BaseModel | None
) -> AuditEntry:
    """Who did what, where, and what was there before and after."""
    return AuditEntry(
        id=f"audit-{secrets.token_hex(8)}",
        at=now,
        member=caller.member,
        principal=caller.arn,
        place=caller.channel,
        action=action,
        subject=subject,
        before=_facts(before),
        after=_facts(after),
    )


def _log_line(tenant: str, made: AuditEntry) -> dict[str, str]:
    return {"tenant": tenant, "member": made.member, "action": made.action, "subject": made.subject, "audit": made.id}


def _speaking(
    caller: Caller, touched: list[Entry], entries: Iterable[Entry], now: datetime
) -> Iterable[tuple[OwnRole, datetime | None]]:
    """The customer's own roles among those touched: each speaks for the tenant as long as the longest of its grants."""
    if not caller.is_of_workspace:
        return
    roles = {own for entry in touched if (own := _own_role(entry)) is not None}
    for role in sorted(roles):
        ends = [entry.ends_at for entry in entries if _own_role(entry) == role]
        yield role, None if None in ends else max((end for end in ends if end is not None), default=now)


def _own_role(entry: Entry) -> OwnRole | None:
    if entry.effect is not Effect.GRANT or entry.role_arn is None or entry.role is not None:
        return None
    return OwnRole.of_arn(entry.role_arn)


def _facts(model: BaseModel | None) -> dict[str, Any] | None:
    return None if model is None else model.model_dump(mode="json", exclude_defaults=True)
