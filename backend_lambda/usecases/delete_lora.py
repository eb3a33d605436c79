"""Delete a LoRA, or one of its versions: the files too."""

from __future__ import annotations

import logging
from dataclasses import replace

from backend_lambda.callers import Caller
from backend_lambda.contract.loras import LoraVersions
from backend_lambda.lora_record import DoomedFiles, LoraRecord, LoraVersion, new_id, upload_key
from backend_lambda.ports import LoraPorts
from backend_lambda.usecases.lora_access import find_to_change
from backend_lambda.usecases.lora_turns import in_turns
from backend_lambda.usecases.lora_view import view_lora
from backend_lambda.usecases.resolve_loras import version_not_found

logger = logging.getLogger(__name__)


def delete_lora(caller: Caller, name: str, number: int | None, ports: LoraPorts) -> LoraVersions:
    """Delete all versions and free the name, or delete the one of that number. Returns what is gone, newest first,
    without links. Jobs that have the file by now finish; those that still wait for an instance fail and say why.

    What is no longer listed is noted down in the same step until its files are gone: whoever dies in between leaves
    them to the next who deletes anything of the tenant. Raises `LoraNotFound` or `NotYourLora`.
    """
    finish_deletions(caller.tenant, ports)

    def unlist() -> tuple[LoraRecord, tuple[LoraVersion, ...], DoomedFiles]:
        record = find_to_change(caller, name, ports.store, ports.access, ports.clock.now())
        gone = tuple(version for version in record.versions if number in (None, version.number))
        if not gone:
            raise version_not_found(record, number)
        left = tuple(version for version in record.versions if version not in gone)
        keys = [key for version in gone for key in version.keys]
        if not left and record.upload is not None:
            keys.append(upload_key(record.tenant, record.upload.upload_id))
        doomed = DoomedFiles(record.tenant, new_id("del"), tuple(keys))
        ports.store.write(replace(record, versions=left) if left else record.freed(), doomed=doomed)
        return record, gone, doomed

    record, gone, doomed = in_turns(unlist)
    _delete_files(doomed, ports)
    logger.info("LoRA deleted", extra={"lora": name, "versions": [one.number for one in gone], "by": caller.arn})
    views = [view_lora(record, version, ports.files) for version in reversed(gone)]
    return LoraVersions(versions=[view.model_copy(update={"samples": None}) for view in views])


def finish_deletions(tenant: str, ports: LoraPorts) -> None:
    """Delete the files that somebody who died has left behind."""
    for doomed in ports.store.doomed(tenant):
        _delete_files(doomed, ports)


def _delete_files(doomed: DoomedFiles, ports: LoraPorts) -> None:
    ports.files.delete(doomed.keys)
    ports.store.forget(doomed)
