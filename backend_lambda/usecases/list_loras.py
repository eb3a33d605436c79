"""Look through the LoRAs that one may use, and at one of them."""

from __future__ import annotations

import re

from backend_lambda.callers import Caller
from backend_lambda.contract.loras import LoraList, LoraVersions
from backend_lambda.lora_record import LoraRecord
from backend_lambda.ports import LoraPorts
from backend_lambda.usecases.lora_access import find_to_read, may_use
from backend_lambda.usecases.lora_view import view_lora
from backend_lambda.usecases.positions import read_position, write_position

PAGE = 50
_POSITION = re.compile(r"[a-z0-9][a-z0-9-]*")
_MOST_READS = 8
"""A page looks this many reads far for what the caller may use before it hands back what it has."""


def list_loras(caller: Caller, ports: LoraPorts, *, position: str | None) -> LoraList:
    """A page of those that the caller may use where they are, by name, the newest version of each; retired ones too.
    Raises `FieldRefused` for a position that this caller was not given.
    """
    scope = f"{caller.tenant}|loras"
    after = read_position(position, scope, _POSITION, "caller") if position is not None else None
    found: list[LoraRecord] = []
    for _ in range(_MOST_READS):
        page = ports.store.page(caller.tenant, limit=PAGE - len(found), after=after)
        found += [record for record in page.records if may_use(record, caller)]
        after = page.after
        if after is None or len(found) == PAGE:
            break
    return LoraList(
        loras=[view_lora(record, record.newest, ports.files) for record in found],
        next=write_position(after, scope) if after is not None else None,
    )


def read_lora(caller: Caller, name: str, ports: LoraPorts) -> LoraVersions:
    """All of its versions, newest first. Raises `LoraNotFound`, also where the caller may not use it, unless they are
    an admin.
    """
    record = find_to_read(caller, name, ports.store, ports.access, ports.clock.now())
    return LoraVersions(versions=[view_lora(record, version, ports.files) for version in reversed(record.versions)])
