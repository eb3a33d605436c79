"""Look at who may do what."""

from __future__ import annotations

from backend_lambda.access_ports import AccessPorts
from backend_lambda.callers import Caller
from backend_lambda.contract.access import EntryList


def list_entries(caller: Caller, ports: AccessPorts) -> EntryList:
    """All of the tenant's grants and denies, from the least specific subject to the most specific."""
    entries = ports.store.read(caller.tenant).entries
    return EntryList(entries=sorted(entries, key=lambda entry: (entry.kind.specificity, entry.id, entry.effect)))
