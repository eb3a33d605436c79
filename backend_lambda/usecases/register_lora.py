"""List what a training has made."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import LoraScope
from backend_lambda.lora_ports import LoraNotRegistrable, NewLora
from backend_lambda.lora_record import (
    MAX_VERSIONS,
    LoraRecord,
    LoraVersion,
    Registration,
    file_key,
    samples_key,
)
from backend_lambda.lora_store import LoraFiles, LoraStore
from backend_lambda.usecases.find_origin import is_origin_listed
from backend_lambda.usecases.lora_access import check_lora_name, is_its_owner
from backend_lambda.usecases.lora_turns import in_turns

logger = logging.getLogger(__name__)


class Registry:
    """`LoraRegistry` on a store and the bucket. A LoRA that a training has made is for the whole tenant at first:
    somebody has approved it.
    """

    def __init__(self, store: LoraStore, files: LoraFiles) -> None:
        self._store = store
        self._files = files

    def register(self, lora: NewLora) -> int:
        known = self._store.registered(lora.owner.tenant, lora.training_id)
        if known is not None:
            return known.number
        self._check(lora)
        self._copy(lora)
        try:
            number = in_turns(lambda: self._list(lora))
        except LoraNotRegistrable:
            self._files.delete(_keys(lora))
            raise
        logger.info("LoRA registered", extra={"lora": lora.name, "version": number, "training_id": lora.training_id})
        return number

    def check_name(self, owner: Owner, name: str, now: datetime) -> None:
        """Before anybody trains it: whether it may be called so. Raises `LoraNameTaken`."""
        check_lora_name(owner, name, self._store, now)

    def _check(self, lora: NewLora) -> LoraRecord:
        record = self._store.get(lora.owner.tenant, lora.name)
        # A mere upload of somebody else's does not cost a training its name.
        if record.is_listed and not is_its_owner(record, lora.owner.member):
            raise LoraNotRegistrable(
                f"Somebody else's LoRA is called {lora.name} by now, so this one was not listed. "
                "Train it again under another name."
            )
        if len(record.versions) >= MAX_VERSIONS:
            raise LoraNotRegistrable(
                f"The LoRA {lora.name} has {MAX_VERSIONS} versions already, so this one was not listed. "
                "Delete one, and train it again."
            )
        return record

    def _copy(self, lora: NewLora) -> None:
        """To a place that is this training's alone: twice does no harm."""
        for source, target in zip((lora.file_key, lora.samples_key), _keys(lora), strict=False):
            if source is None:
                continue
            file = self._files.find(source)
            if file is None:
                raise FileNotFoundError(f"{source} is not in the bucket")
            sha256 = self._files.copy(source, file, target)
            if source == lora.file_key and sha256 != lora.sha256:
                raise RuntimeError(f"{source} is not the file any more that was checked")

    def _list(self, lora: NewLora) -> int:
        known = self._store.registered(lora.owner.tenant, lora.training_id)
        if known is not None:
            # Somebody else was at it too. Where it is deleted by now, the copy must go as well.
            if not is_origin_listed(self._store, lora.owner.tenant, lora.training_id):
                self._files.delete(_keys(lora))
            return known.number
        record = self._check(lora)
        if not record.is_listed and not (record.upload and is_its_owner(record, lora.owner.member)):
            record = record.freed()
        if not record.is_listed:
            record = replace(record, owner=lora.owner.member, scope=LoraScope.WORKSPACE)
        version = _version(lora, record.last_number + 1)
        self._store.write(
            record.with_version(version),
            registration=Registration(lora.owner.tenant, lora.training_id, version.number),
        )
        return version.number


def _keys(lora: NewLora) -> tuple[str, ...]:
    tenant = lora.owner.tenant
    if lora.samples_key is None:
        return (file_key(tenant, lora.training_id),)
    return file_key(tenant, lora.training_id), samples_key(tenant, lora.training_id)


def _version(lora: NewLora, number: int) -> LoraVersion:
    return LoraVersion(
        number=number,
        origin=lora.training_id,
        request_id="",
        made_by=lora.owner.member,
        model=lora.model,
        rank=lora.rank,
        bytes=lora.bytes,
        sha256=lora.sha256,
        key=file_key(lora.owner.tenant, lora.training_id),
        created_at=lora.created_at,
        trigger=lora.trigger,
        licence_note=lora.licence_note,
        kind=lora.kind,
        training_id=lora.training_id,
        settings=lora.settings,
        final_loss=lora.final_loss,
        dataset_sha256=lora.dataset_sha256,
        dataset_pictures=lora.dataset_pictures,
        samples_key=None if lora.samples_key is None else samples_key(lora.owner.tenant, lora.training_id),
    )
