"""Import a LoRA's file: first its place, then, once it is uploaded, the check."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import replace
from functools import partial

from backend_lambda.callers import Caller
from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import ImportLora, Lora, LoraScope, LoraUpload
from backend_lambda.lora_files.header import read_header
from backend_lambda.lora_files.naming import recognise
from backend_lambda.lora_files.refused import FileRefused
from backend_lambda.lora_record import (
    LoraRecord,
    LoraUploadRecord,
    LoraVersion,
    file_key,
    make_request_id,
    new_id,
    upload_key,
)
from backend_lambda.lora_store import FileChanged, StoredFile
from backend_lambda.ports import CatalogEntry, LoraPorts
from backend_lambda.usecases.find_origin import is_origin_listed
from backend_lambda.usecases.lora_access import check_record_is_free, is_its_owner, lora_not_found
from backend_lambda.usecases.lora_turns import in_turns
from backend_lambda.usecases.lora_view import view_lora
from backend_lambda.usecases.refusals import IdempotencyConflict, LoraFileUnusable
from backend_lambda.usecases.submit_job import endpoint_not_found
from backend_lambda.usecases.training_texts import check_words

logger = logging.getLogger(__name__)

_CHANGED = "The file was uploaded anew while it was checked. Check it again."
_REPLACED = "Another import of this name took its place while it was checked."
_NOTHING = "Nothing has been uploaded yet. PUT the file to the upload's URL first."
_NO_UPLOAD = "There is no upload to check for this LoRA. Begin an import first."


def import_lora(caller: Caller, request: ImportLora, ports: LoraPorts) -> LoraUpload:
    """Keep the name and a version's number for the file, and say where to put it. The same key from the same member
    answers the same upload with a new link; another key's upload takes its place. What is not checked within a day is
    given up.

    Raises `EndpointNotFound`; `LoraNameTaken` where it is somebody else's or has all the versions that it may have;
    `IdempotencyConflict`; `WordsBlocked`.
    """
    entry = ports.catalog.find(request.endpoint)
    if entry is None:
        raise endpoint_not_found(request.endpoint, ports.catalog)
    texts = {"name": request.name, "trigger": request.trigger or "", "licence_note": request.licence_note}
    check_words(caller.tenant, texts, ports.moderation)
    upload_id, number = in_turns(lambda: _keep_place(caller, request, entry, ports))
    link = ports.files.upload_link(upload_key(caller.tenant, upload_id), request.bytes, ports.clock.now())
    return LoraUpload(name=request.name, version=number, url=link.url, headers=link.headers, expires_at=link.expires_at)


def _keep_place(caller: Caller, request: ImportLora, entry: CatalogEntry, ports: LoraPorts) -> tuple[str, int]:
    now = ports.clock.now()
    record = ports.store.get(caller.tenant, request.name)
    request_id = make_request_id(Owner(tenant=caller.tenant, member=caller.member), request.idempotency_key)
    asked = _fingerprint(request)
    before = _asked_before(record, request_id, asked, request) if record.is_held(now) else None
    if before is not None:
        return before
    check_record_is_free(record, caller.member, now)
    if not record.is_held(now):
        record = replace(record.freed(), owner=caller.member, scope=LoraScope.MEMBER)
    number = record.last_number + 1
    upload = LoraUploadRecord(
        upload_id=new_id("upl"),
        request_id=request_id,
        fingerprint=asked,
        number=number,
        model=entry.card.name,
        bytes=request.bytes,
        trigger=request.trigger,
        licence_note=request.licence_note,
        asked_at=now,
    )
    ports.store.write(replace(record, upload=upload, last_number=number))
    return upload.upload_id, number


def _asked_before(record: LoraRecord, request_id: str, asked: str, request: ImportLora) -> tuple[str, int] | None:
    """The upload and its number where this member has used the key for this name. Raises `IdempotencyConflict`."""
    upload = record.upload
    if upload is not None and upload.request_id == request_id:
        if upload.fingerprint != asked:
            raise _conflict(request)
        return upload.upload_id, upload.number
    for version in record.versions:
        if version.request_id == request_id:
            if version.bytes != request.bytes:
                raise _conflict(request)
            return version.origin, version.number
    return None


def _fingerprint(request: ImportLora) -> str:
    return hashlib.sha256(request.model_dump_json(exclude={"idempotency_key"}).encode()).hexdigest()


def _conflict(request: ImportLora) -> IdempotencyConflict:
    return IdempotencyConflict(
        "This idempotency key was already used with another request.",
        field="idempotency_key",
        given=request.idempotency_key,
        allowed="a new key for a new request",
    )


def check_lora(caller: Caller, name: str, ports: LoraPorts) -> Lora:
    """Read the uploaded file, and list it as the version that was kept for it. Once it is listed, asking again answers
    the same. A file that is refused is deleted: begin the import again with the same key, and upload another one.

    Raises `LoraNotFound` where there is no LoRA or upload of the caller's of that name, and `LoraFileUnusable`.
    """
    record = ports.store.get(caller.tenant, name)
    if not is_its_owner(record, caller.member) or not (record.is_listed or record.upload):
        raise lora_not_found(caller, name, ports.store)
    upload = record.upload
    if upload is None:
        return _checked_before(record, ports)
    source = upload_key(caller.tenant, upload.upload_id)
    file = ports.files.find(source)
    if file is None:
        record = ports.store.get(caller.tenant, name)
        if record.upload == upload:
            raise LoraFileUnusable(_NOTHING, field="file", given="nothing", allowed=f"{upload.bytes} bytes")
        # Somebody has checked it at the same time.
        return _checked_before(record, ports)
    version = _check(upload, file, caller, ports)
    record, listed = in_turns(lambda: _list(caller, name, version, ports))
    ports.files.delete([source] if listed.key == version.key else [source, version.key])
    logger.info("LoRA imported", extra={"lora": name, "version": listed.number, "by": caller.arn})
    return view_lora(record, listed, ports.files)


def _checked_before(record: LoraRecord, ports: LoraPorts) -> Lora:
    imported = [version for version in record.versions if version.request_id]
    if not imported:
        raise LoraFileUnusable(_NO_UPLOAD, field="name", given=record.name, allowed="POST /loras, then the upload")
    return view_lora(record, imported[-1], ports.files)


def _check(upload: LoraUploadRecord, file: StoredFile, caller: Caller, ports: LoraPorts) -> LoraVersion:
    """Look at the file as it is now, and copy that very content to where nobody can change it."""
    source = upload_key(caller.tenant, upload.upload_id)
    # Another content is another file, should it be uploaded again while this is checked.
    target = file_key(caller.tenant, f"{upload.upload_id}-{re.sub(r'[^A-Za-z0-9]', '', file.tag)[:32]}")
    try:
        if file.bytes != upload.bytes:
            raise FileRefused(f"The file has {file.bytes} bytes; {upload.bytes} were announced.")
        found = recognise(read_header(partial(ports.files.read, source, file), file.bytes))
        sha256 = ports.files.copy(source, file, target)
    except FileRefused as refused:
        ports.files.delete([source])
        logger.info("LoRA's file refused", extra={"upload": upload.upload_id, "reason": refused.message})
        raise LoraFileUnusable(refused.message, field="file") from None
    except FileChanged:
        raise LoraFileUnusable(_CHANGED, field="file") from None
    return LoraVersion(
        number=upload.number,
        origin=upload.upload_id,
        request_id=upload.request_id,
        made_by=caller.member,
        model=upload.model,
        rank=found.rank,
        bytes=file.bytes,
        sha256=sha256,
        key=target,
        created_at=ports.clock.now(),
        trigger=upload.trigger,
        licence_note=upload.licence_note,
    )


def _list(caller: Caller, name: str, version: LoraVersion, ports: LoraPorts) -> tuple[LoraRecord, LoraVersion]:
    record = ports.store.get(caller.tenant, name)
    if record.upload is not None and record.upload.upload_id == version.origin:
        # A rename in between may have changed the number.
        version = replace(version, number=record.upload.number)
        listed = replace(record, upload=None).with_version(version)
        ports.store.write(listed)
        return listed, version
    for other in record.versions:
        if other.origin == version.origin:
            return record, other
    if record.upload is not None and is_its_owner(record, caller.member):
        if not is_origin_listed(ports.store, caller.tenant, version.origin):
            ports.files.delete([version.key])
        raise LoraFileUnusable(_REPLACED, field="file")
    # It was renamed or deleted meanwhile. Under its new name the same check lists the same copy.
    raise lora_not_found(caller, name, ports.store)
