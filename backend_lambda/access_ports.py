"""What the use cases of grants need from the outside. The adapters are in `backend_lambda.aws`, joined in `wiring`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backend_lambda.callers import RoleStanding
from backend_lambda.contract.access import AuditEntry, BlockedWords, Entry
from backend_lambda.ports import Clock

_ARN = re.compile(
    r"arn:aws(?:-[a-z]+){0,3}:iam::(?P<account>[0-9]{12}):role/easel/"
    r"(?:[\x21-\x2e\x30-\x7e]+/)*(?P<name>[A-Za-z0-9_+=,.@-]{1,64})"
)


class AccessOvertaken(Exception):
    """Somebody else changed the tenant's grants since they were read: nothing was written."""


@dataclass(frozen=True, order=True)
class OwnRole:
    """A role of a customer's own, as a session's ARN shows it: without its path."""

    account: str
    name: str

    @classmethod
    def of_arn(cls, arn: str) -> OwnRole | None:
        """The role of `arn:aws:iam::<account>:role/easel/…`; None for any other ARN."""
        found = _ARN.fullmatch(arn)
        return cls(found["account"], found["name"]) if found else None


@dataclass(frozen=True)
class TenantAccess:
    """A tenant's grants, denies (also those that ended lately) and blocked words, as they were read.

    `version` counts the changes; `done` are the idempotency keys of the latest ones. `is_settled`: the change that made
    this version is surely in what was read; only then something may be decided by it that is about to be written.
    """

    entries: tuple[Entry, ...]
    words: BlockedWords
    version: int
    is_settled: bool = True
    done: tuple[str, ...] = ()

    def entry(self, key: str) -> Entry | None:
        """The entry of that key."""
        return next((entry for entry in self.entries if entry.key == key), None)


@dataclass(frozen=True)
class AccessChange:
    """One change, written as a whole or not at all, with its audit record.

    `put` replaces the entry of its key, `removed` is the key of one that goes, `words` replace those there are.
    `speaking`: roles of the customer's own and until when they speak for the tenant (None: without an end; a time that
    has passed: no longer). `done`: the idempotency keys that are remembered from then on.
    """

    record: AuditEntry
    put: Entry | None = None
    removed: str | None = None
    words: BlockedWords | None = None
    speaking: tuple[tuple[OwnRole, datetime | None], ...] = ()
    done: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditPage:
    """Some records, newest first. `after` continues behind the last one; None where there are no more."""

    records: list[AuditEntry]
    after: str | None


class AccessStore(Protocol):
    """Who may do what. Reads see every write that came before."""

    def read(self, tenant: str) -> TenantAccess:
        """All of a tenant's."""

    def write(self, tenant: str, change: AccessChange, *, version: int) -> None:
        """Apply the change to what is at that version. Raises `AccessOvertaken` where it is not any more."""

    def standing(self, role: OwnRole, tenant: str, now: datetime) -> RoleStanding:
        """Whether the role speaks for the tenant."""

    def audit(self, tenant: str, *, limit: int, after: str | None, member: str | None) -> AuditPage:
        """A tenant's audit records, newest first, behind the position `after`; with `member`, only what they did and
        what was done about them.

        Fewer than `limit` may come although more follow: `after` tells.
        """


@dataclass(frozen=True)
class AccessPorts:
    """What it takes to change who may do what. `wait` sleeps for so many seconds."""

    store: AccessStore
    clock: Clock
    wait: Callable[[float], None]
