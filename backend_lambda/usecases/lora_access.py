"""Whose LoRAs they are: who may use one, who may change it, and who may give its name another version."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from backend_lambda.callers import Caller
from backend_lambda.contract.access import Entry
from backend_lambda.contract.decision import Who, decide
from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import LoraScope
from backend_lambda.lora_record import MAX_VERSIONS, LoraRecord
from backend_lambda.lora_store import LoraStore
from backend_lambda.ports import AccessReader
from backend_lambda.stack_roles import ADMIN
from backend_lambda.usecases.refusals import LoraNameTaken, LoraNotFound, NotYourLora

_MOST_NAMES = 50
"""A refusal names no more than these."""
_PAGE = 100
_MOST_PAGES = 8


def is_its_owner(record: LoraRecord, member: str) -> bool:
    """Whether it is theirs. In a tenant that is an IAM principal and no workspace, all is everybody's: its members are
    the sessions of one role.
    """
    return record.owner == member or not record.tenant.isalnum()


def may_use(record: LoraRecord, caller: Caller) -> bool:
    """Whether the caller may paint with it, where they are. It takes more than that to be an admin."""
    if record.tenant != caller.tenant or not record.is_listed:
        return False
    if record.scope is LoraScope.WORKSPACE or is_its_owner(record, caller.member):
        return True
    return record.scope is LoraScope.CHANNEL and bool(record.channel) and record.channel == caller.channel


def is_admin(entries: Iterable[Entry], caller: Caller, now: datetime) -> bool:
    """Whether the tenant's grants make the caller one, here: the grant that decides about them is of the admin role."""
    groups = (caller.usergroup,) if caller.usergroup else ()
    grant = decide(entries, Who(caller.tenant, caller.member, caller.channel, usergroups=groups), now).grant
    return grant is not None and grant.role == ADMIN


def find_to_read(caller: Caller, name: str, loras: LoraStore, access: AccessReader, now: datetime) -> LoraRecord:
    """The LoRA of that name, which the caller may use, or any of the tenant's for an admin. Raises `LoraNotFound`: one
    that they may not see, and another tenant's, look exactly like none.
    """
    record = loras.get(caller.tenant, name)
    if may_use(record, caller):
        return record
    if record.is_listed and is_admin(access.read(caller.tenant).entries, caller, now):
        return record
    raise lora_not_found(caller, name, loras)


def find_to_change(caller: Caller, name: str, loras: LoraStore, access: AccessReader, now: datetime) -> LoraRecord:
    """The LoRA of that name, which the caller may change, whoever may use it: theirs, or they are an admin. Raises
    `LoraNotFound`, or `NotYourLora` where they may use it at least.
    """
    record = loras.get(caller.tenant, name)
    if record.is_listed and is_its_owner(record, caller.member):
        return record
    if record.is_listed and is_admin(access.read(caller.tenant).entries, caller, now):
        return record
    if may_use(record, caller):
        raise NotYourLora(
            "Only who made this LoRA or an admin may change it.",
            field="name",
            given=name,
            allowed="a LoRA of your own",
        )
    raise lora_not_found(caller, name, loras)


def check_lora_name(owner: Owner, name: str, loras: LoraStore, now: datetime) -> None:
    """Whether a training or an import of this member's may be called so: the name is free, or their own LoRA's, whose
    next version it becomes. Nobody continues somebody else's LoRA, an admin neither. Raises `LoraNameTaken`.
    """
    check_record_is_free(loras.get(owner.tenant, name), owner.member, now)


def check_record_is_free(record: LoraRecord, member: str, now: datetime) -> None:
    """The same for what there is under the name."""
    if record.is_held(now) and not is_its_owner(record, member):
        raise LoraNameTaken(
            "There is a LoRA of that name already, which is somebody else's. Choose another name.",
            field="name",
            given=record.name,
            allowed="a name that is free, or that of a LoRA of your own",
        )
    if len(record.versions) >= MAX_VERSIONS:
        raise LoraNameTaken(
            f"This LoRA has {MAX_VERSIONS} versions already. Delete one, or choose another name.",
            field="name",
            given=record.name,
            allowed=f"at most {MAX_VERSIONS} versions",
        )


def lora_not_found(
    caller: Caller, name: str, loras: LoraStore, *, model: str | None = None, field: str = "name"
) -> LoraNotFound:
    """Says which there are that the caller may use and that are offered; with `model`, those that fit it."""
    available = usable_names(caller, loras, model)
    return LoraNotFound(
        "There is no LoRA of that name.",
        field=field,
        given=name,
        allowed=", ".join(available) or "none yet",
        available=available,
    )


def usable_names(caller: Caller, loras: LoraStore, model: str | None) -> list[str]:
    """Some names, in their order."""
    found: list[str] = []
    after: str | None = None
    for _ in range(_MOST_PAGES):
        page = loras.page(caller.tenant, limit=_PAGE, after=after)
        found += [
            record.name
            for record in page.records
            if may_use(record, caller) and not record.is_retired and model in (None, record.newest.model)
        ]
        after = page.after
        if after is None or len(found) >= _MOST_NAMES:
            break
    return found[:_MOST_NAMES]
