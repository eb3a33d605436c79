"""`/loras`: the registry of what was trained or imported."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from backend_lambda.api.context import backend_of, caller_of
from backend_lambda.api.query import check_query
from backend_lambda.api.responses import errors
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.contract.loras import ChangeLora, ImportLora, Lora, LoraList, LoraUpload, LoraVersions
from backend_lambda.usecases.change_lora import change_lora
from backend_lambda.usecases.delete_lora import delete_lora
from backend_lambda.usecases.import_lora import check_lora, import_lora
from backend_lambda.usecases.list_loras import list_loras, read_lora

router = Router()  # type: ignore[no-untyped-call]

NAME = Path(description="A LoRA's name.", max_length=63)
_BODY = (ErrorCode.MALFORMED_REQUEST, ErrorCode.TOO_LARGE, ErrorCode.INVALID_REQUEST)


@router.get(
    "/loras",
    tags=["loras"],
    operation_id="listLoras",
    summary="List the LoRAs that the caller may use",
    description=(
        "By name, the newest version of each: the whole tenant's, those of the channel that the caller's session "
        "names, and the caller's own. Retired ones too. Links to samples last 15 minutes. A page can be short, or "
        "empty, and still have a `next`."
    ),
    response_description="A page of LoRAs",
    responses=errors(200, LoraList, ErrorCode.INVALID_REQUEST),
)
def list_(
    next: Annotated[str | None, Query(max_length=200, description="The `next` of the page before.")] = None,
) -> LoraList:
    """`GET /loras`."""
    check_query(router, ("next",))
    return list_loras(caller_of(router), backend_of(router).loras, position=next)


@router.get(
    "/loras/<name>",
    tags=["loras"],
    operation_id="readLora",
    summary="Read a LoRA's versions",
    description="Newest first. One that the caller may not use answers as one that does not exist; an admin sees all.",
    response_description="All versions",
    responses=errors(200, LoraVersions, ErrorCode.LORA_NOT_FOUND),
)
def read(name: Annotated[str, NAME]) -> LoraVersions:
    """`GET /loras/{name}`."""
    return read_lora(caller_of(router), name, backend_of(router).loras)


@router.patch(
    "/loras/<name>",
    tags=["loras"],
    operation_id="changeLora",
    summary="Rename a LoRA, share it, retire it, note its licence",
    description=(
        "For who made it, and for admins. What is given changes in all versions and in one step. A new name frees the "
        "old one; numbers of versions that a name has had before are not used again, so they may go up. A retired LoRA "
        "is not offered any more and still paints where it is named."
    ),
    response_description="The newest version as it is now",
    responses=errors(200, Lora, ErrorCode.LORA_NOT_FOUND, ErrorCode.LORA_NAME_TAKEN, ErrorCode.BLOCKED_WORDS, *_BODY),
)
def change(name: Annotated[str, NAME], request: ChangeLora) -> Lora:
    """`PATCH /loras/{name}`."""
    return change_lora(caller_of(router), name, request, backend_of(router).loras)


@router.delete(
    "/loras/<name>",
    tags=["loras"],
    operation_id="deleteLora",
    summary="Delete a LoRA, or one of its versions",
    description=(
        "For who made it, and for admins. The files go at once. Jobs that are being painted finish; those that still "
        "wait fail with `lora_unusable`."
    ),
    response_description="What is gone, newest first",
    responses=errors(200, LoraVersions, ErrorCode.LORA_NOT_FOUND, ErrorCode.INVALID_REQUEST),
)
def delete(
    name: Annotated[str, NAME],
    version: Annotated[int | None, Query(ge=1, le=1_000_000, description="Only this version.")] = None,
) -> LoraVersions:
    """`DELETE /loras/{name}`."""
    check_query(router, ("version",))
    return delete_lora(caller_of(router), name, version, backend_of(router).loras)


@router.post(
    "/loras",
    status_code=201,
    tags=["loras"],
    operation_id="importLora",
    summary="Begin to import a LoRA's file",
    description=(
        "Answers where to PUT the file: safetensors, in diffusers' or kohya's naming, for this endpoint's model. Then "
        "have it checked. The name, and its next version, are kept for a day. A name that is the caller's own LoRA's "
        "gets another version. The same idempotency key answers the same upload with a new link; another key's takes "
        "its place."
    ),
    response_description="The upload's place",
    responses=errors(
        201,
        LoraUpload,
        ErrorCode.ENDPOINT_NOT_FOUND,
        ErrorCode.LORA_NAME_TAKEN,
        ErrorCode.IDEMPOTENCY_CONFLICT,
        ErrorCode.BLOCKED_WORDS,
        *_BODY,
    ),
)
def import_(request: ImportLora) -> LoraUpload:
    """`POST /loras`."""
    return import_lora(caller_of(router), request, backend_of(router).loras)


@router.post(
    "/loras/<name>/check",
    tags=["loras"],
    operation_id="checkLora",
    summary="Have an uploaded file checked and listed",
    description=(
        "Nothing of the file is run: its header is read, and its names and shapes have to be a LoRA's. What the header "
        "can't tell, whether the model has those modules, the endpoint finds out when it paints. A LoRA that was "
        "imported is its importer's alone until it is shared. Once listed, asking again answers the same."
    ),
    response_description="The new version",
    responses=errors(200, Lora, ErrorCode.LORA_NOT_FOUND, ErrorCode.LORA_FILE_UNUSABLE),
)
def check(name: Annotated[str, NAME]) -> Lora:
    """`POST /loras/{name}/check`."""
    return check_lora(caller_of(router), name, backend_of(router).loras)
