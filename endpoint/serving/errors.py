"""What can go wrong with an invocation, and the sentences for it."""

from __future__ import annotations

import secrets

from endpoint.contract import EndpointError, EndpointErrorCode

_STATUS = {
    EndpointErrorCode.INVALID_REQUEST: 400,
    EndpointErrorCode.CANCELLED: 400,
    EndpointErrorCode.LORA_UNUSABLE: 400,
    EndpointErrorCode.UNAVAILABLE: 503,
}


class InvocationFailed(Exception):
    """An invocation ends with this code; `message` is fit for people."""

    def __init__(self, code: EndpointErrorCode, message: str, reference: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reference = reference

    @property
    def http_status(self) -> int:
        """400 for the caller's doing, 503 when another instance may take it, 500 otherwise."""
        return _STATUS.get(self.code, 500)

    def body(self, job_id: str | None) -> EndpointError:
        """The response's body."""
        return EndpointError(job_id=job_id, code=self.code, message=self.message, reference=self.reference)


def new_reference() -> str:
    """A short name that a person can quote and that stands in the logs."""
    return "ref-" + secrets.token_hex(4)


def invalid_request(message: str) -> InvocationFailed:
    """The request itself is wrong: `message` names the field, what was given and what is allowed."""
    return InvocationFailed(EndpointErrorCode.INVALID_REQUEST, message)


def cancelled() -> InvocationFailed:
    """The caller stopped it."""
    return InvocationFailed(EndpointErrorCode.CANCELLED, "The job was cancelled.")


def unavailable() -> InvocationFailed:
    """This instance is loading, broken or shutting down."""
    return InvocationFailed(EndpointErrorCode.UNAVAILABLE, "This instance is not taking work now.")


def out_of_memory() -> InvocationFailed:
    """The picture doesn't fit the device."""
    return InvocationFailed(
        EndpointErrorCode.OUT_OF_MEMORY,
        "The model ran out of memory for this picture: ask for a smaller one.",
        new_reference(),
    )


def model_failed() -> InvocationFailed:
    """The model raised or gave numbers that are no picture."""
    return InvocationFailed(EndpointErrorCode.MODEL_FAILED, "The model failed on this picture.", new_reference())


def lora_unusable(name: str, reason: str) -> InvocationFailed:
    """A LoRA of the request can't be used with this model; `reason` is a clause that says why and what to do."""
    return InvocationFailed(EndpointErrorCode.LORA_UNUSABLE, f"The LoRA “{name}” can't be used: {reason}.")


def lora_unfetched(name: str) -> InvocationFailed:
    """S3 or the disk failed on a LoRA's file."""
    return InvocationFailed(
        EndpointErrorCode.STORAGE_FAILED,
        f"The LoRA “{name}” could not be fetched from S3 now: try again.",
        new_reference(),
    )


def storage_failed() -> InvocationFailed:
    """S3 didn't take the pictures."""
    return InvocationFailed(EndpointErrorCode.STORAGE_FAILED, "The pictures could not be stored.", new_reference())
