"""Rename a LoRA, share it, retire it, note its licence."""

from __future__ import annotations

import logging
from dataclasses import replace

from backend_lambda.callers import Caller
from backend_lambda.contract.loras import ChangeLora, Lora, LoraScope
from backend_lambda.lora_record import LoraRecord
from backend_lambda.ports import LoraPorts
from backend_lambda.usecases.lora_access import find_to_change
from backend_lambda.usecases.lora_turns import in_turns
from backend_lambda.usecases.lora_view import view_lora
from backend_lambda.usecases.refusals import FieldRefused, LoraNameTaken
from backend_lambda.usecases.training_texts import check_words

logger = logging.getLogger(__name__)


def change_lora(caller: Caller, name: str, request: ChangeLora, ports: LoraPorts) -> Lora:
    """Change what is given, in all versions and in one step; a new name frees the old one. Returns the newest version.

    Raises `LoraNotFound`, `NotYourLora`, `LoraNameTaken`, `WordsBlocked`, or `FieldRefused` where a
    channel is missing, or is named for another scope.
    """
    texts = {"name": request.name or "", "licence_note": request.licence_note or ""}
    check_words(caller.tenant, texts, ports.moderation)

    def change() -> LoraRecord:
        record = find_to_change(caller, name, ports.store, ports.access, ports.clock.now())
        changed = _changed(record, request, caller)
        if request.name is not None and request.name != name:
            return _rename(changed, request.name, ports)
        if changed != record:
            ports.store.write(changed)
        return changed

    record = in_turns(change)
    logger.info("LoRA changed", extra={"lora": name, "now": record.name, "by": caller.arn})
    return view_lora(record, record.newest, ports.files)


def _changed(record: LoraRecord, request: ChangeLora, caller: Caller) -> LoraRecord:
    if request.channel is not None and request.scope is not LoraScope.CHANNEL:
        raise FieldRefused(
            "A channel goes with the scope channel.",
            field="channel",
            given=request.channel,
            allowed="scope: channel beside it",
        )
    if request.scope is not None:
        channel = (request.channel or caller.channel) if request.scope is LoraScope.CHANNEL else None
        if request.scope is LoraScope.CHANNEL and not channel:
            raise FieldRefused(
                "There is no channel to share it with: name one, or ask from within it.",
                field="channel",
                given="nothing",
                allowed="a channel's id",
            )
        record = replace(record, scope=request.scope, channel=channel)
    if request.is_retired is not None:
        record = replace(record, is_retired=request.is_retired)
    if request.licence_note is not None:
        note = request.licence_note
        record = replace(record, versions=tuple(replace(one, licence_note=note) for one in record.versions))
    return record


def _rename(record: LoraRecord, name: str, ports: LoraPorts) -> LoraRecord:
    place = ports.store.get(record.tenant, name)
    if place.is_held(ports.clock.now()):
        raise LoraNameTaken(
            "There is a LoRA of that name already. Choose another name.",
            field="name",
            given=name,
            allowed="a name that is free",
        )
    moved = record.moved_to(place)
    ports.store.write(moved, record.freed())
    return moved
