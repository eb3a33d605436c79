"""Turn what SageMaker and the endpoint say about a failure into what a person needs to know."""

from __future__ import annotations

import json
import re
import secrets

from pydantic import ValidationError

from backend_lambda.contract.errors import JobFailure, JobFailureCode
from endpoint.contract import EndpointError, EndpointErrorCode

SENTENCES = {
    JobFailureCode.INVALID_REQUEST: "The model can't work with these settings.",
    JobFailureCode.LORA_UNUSABLE: "A LoRA can't be used: it was deleted meanwhile, or it does not fit the model.",
    JobFailureCode.OUT_OF_MEMORY: "The model ran out of memory. A smaller size or fewer pictures may work.",
    JobFailureCode.MODEL_FAILED: "The model failed while it was painting.",
    JobFailureCode.STORAGE_FAILED: "The pictures could not be stored.",
    JobFailureCode.EXPIRED: "It waited too long for a free instance of the model. Please try again later.",
    JobFailureCode.LOST: "The model never answered. Please try again.",
    JobFailureCode.START_FAILED: "The model's endpoint does not take work at the moment.",
    JobFailureCode.UNCHECKED: "The moderation that your workspace uses could not be asked. Please try again later.",
    JobFailureCode.MODERATED: "The moderation that your workspace uses refused this prompt or its pictures.",
}

_CODES = {
    EndpointErrorCode.INVALID_REQUEST: JobFailureCode.INVALID_REQUEST,
    EndpointErrorCode.LORA_UNUSABLE: JobFailureCode.LORA_UNUSABLE,
    EndpointErrorCode.OUT_OF_MEMORY: JobFailureCode.OUT_OF_MEMORY,
    EndpointErrorCode.STORAGE_FAILED: JobFailureCode.STORAGE_FAILED,
}
_UNAVAILABLE = "The model's instance was starting or shutting down. Please try again."
_LONGEST_MESSAGE = 300
_LONGEST_REASON = 20_000
_MOST_STARTS = 64


def describe(code: JobFailureCode, message: str | None = None, reference: str | None = None) -> JobFailure:
    """A failure with its sentence, and a reference (a new one where none is given)."""
    return JobFailure(code=code, message=message or SENTENCES[code], reference=reference or new_reference())


def new_reference() -> str:
    """What a person quotes and an operator finds in the logs."""
    return secrets.token_hex(6)


def describe_endpoint_error(error: EndpointError) -> JobFailure:
    """The endpoint's own error, which is not `cancelled`, as a job's failure."""
    code = _CODES.get(error.code, JobFailureCode.MODEL_FAILED)
    message = None
    if error.code is EndpointErrorCode.UNAVAILABLE:
        message = _UNAVAILABLE
    elif error.code in {EndpointErrorCode.INVALID_REQUEST, EndpointErrorCode.LORA_UNUSABLE}:
        # Only the endpoint knows what it can't do, or which LoRA it can't use; its contract promises a sentence.
        message = " ".join(error.message.split())[:_LONGEST_MESSAGE] or None
    reference = error.reference if error.reference and re.fullmatch(r"[\w.:-]{1,64}", error.reference) else None
    return describe(code, message, reference)


def find_endpoint_error(text: str | None) -> EndpointError | None:
    """The `EndpointError` in a failure's text, in which SageMaker may have wrapped or escaped it; None where there is
    none.
    """
    if not text:
        return None
    text = text[:_LONGEST_REASON]
    for candidate in (text, text.replace('\\"', '"')):
        for start in [found.start() for found in re.finditer(r"\{", candidate)][:_MOST_STARTS]:
            try:
                value, _ = json.JSONDecoder().raw_decode(candidate, start)
                return EndpointError.model_validate(value)
            except (ValueError, ValidationError, RecursionError):
                continue
    return None
