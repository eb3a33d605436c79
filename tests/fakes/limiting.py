"""Grants that only limit, as tests set them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from backend_lambda.access_ports import TenantAccess
from backend_lambda.contract.access import BlockedWords, Effect, Entry, Limits
from backend_lambda.contract.subjects import SubjectKind
from tests.fakes.backend import ADA, NOON
from tests.fakes.backend_access import FakeAccessStore


def limiting(kind: str, subject: str, *, ends_at: datetime | None = None, **limits: Any) -> Entry:
    """A grant without a role. `limits` are the fields of `Limits`."""
    return Entry(
        effect=Effect.GRANT, kind=SubjectKind(kind), id=subject, limits=Limits(**limits), made_at=NOON, ends_at=ends_at
    )


def set_entries(store: FakeAccessStore, *entries: Entry, tenant: str = ADA.tenant) -> None:
    """These and no others from now on."""
    store.tenants[tenant] = replace(_current(store, tenant), entries=entries)


def block(store: FakeAccessStore, *words: str, tenant: str = ADA.tenant) -> None:
    """These words and no others from now on."""
    store.tenants[tenant] = replace(_current(store, tenant), words=BlockedWords(words=list(words)))


def _current(store: FakeAccessStore, tenant: str) -> TenantAccess:
    return store.tenants.get(tenant, TenantAccess((), BlockedWords(words=[]), 0))
