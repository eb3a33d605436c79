"""How the backend says that something went wrong: typed codes and facts, never an exception's text."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from backend_lambda.contract.access import Allowance


class ErrorCode(StrEnum):
    """Why a request was refused. The HTTP status stands beside each."""

    INVALID_REQUEST = "invalid_request"  # 422: a field is wrong; `field`, `given`, `allowed` say how
    MALFORMED_REQUEST = "malformed_request"  # 400: not JSON, or not an object
    ENDPOINT_NOT_FOUND = "endpoint_not_found"  # 404: `available` lists the names there are
    JOB_NOT_FOUND = "job_not_found"  # 404: also where the job is another tenant's
    ROUTE_NOT_FOUND = "route_not_found"  # 404: there is no such path
    METHOD_NOT_ALLOWED = "method_not_allowed"  # 405: the path takes others
    NOT_ALLOWED = "not_allowed"  # 403
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"  # 409: the key was used with another request
    JOB_NOT_DELETABLE = "job_not_deletable"  # 409
    TOO_LARGE = "too_large"  # 413
    LIMIT_REACHED = "limit_reached"  # 429: `limit` says which, how much of it is used and when it resets
    LAST_ADMIN = "last_admin"  # 409: nobody would be left who may grant
    ACCESS_CONFLICT = "access_conflict"  # 409: somebody else changed grants at the same time, again and again
    GUARDRAIL_TOO_LONG = "guardrail_too_long"  # 422: STS would not take it as a session policy
    BLOCKED_WORDS = "blocked_words"  # 422: the prompt has words that the workspace has blocked
    WEBHOOK_NOT_FOUND = "webhook_not_found"  # 404
    TRAINING_NOT_FOUND = "training_not_found"  # 404: also where it is another tenant's
    TRAINING_NOT_IN_STATE = (
        "training_not_in_state"  # 409: what was asked is not possible as it stands; `given` says how
    )
    PICTURES_MISSING = "pictures_missing"  # 422: too few or too many accepted pictures; `given`, `allowed`
    SELF_APPROVAL = "self_approval"  # 409: who submitted it decides on the other route, where a policy allows it
    NO_TRAINING_HERE = "no_training_here"  # 422: the endpoint's model can't be trained
    LORA_NOT_FOUND = "lora_not_found"  # 404: `available` lists the names there are
    LORA_NOT_FITTING = "lora_not_fitting"  # 422: it was made for another model
    LORA_NAME_TAKEN = "lora_name_taken"  # 409
    LORA_FILE_UNUSABLE = "lora_file_unusable"  # 422: not a safetensors file of a LoRA for that model
    ENDPOINT_UNAVAILABLE = "endpoint_unavailable"  # 503: it exists, but does not take work now
    TOO_MANY_REQUESTS = "too_many_requests"  # 429
    INTERNAL = "internal"  # 500: `reference` is in the logs


class ErrorBody(BaseModel):
    """Body of every answer that is not 2xx and comes from the backend itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: ErrorCode
    message: str
    """One sentence that says what is wrong; fit for people."""
    field: str | None = None
    given: str | None = None
    allowed: str | None = None
    available: list[str] = Field(default_factory=list)
    limit: Allowance | None = None
    """The one that is reached."""
    reference: str | None = None


class JobFailureCode(StrEnum):
    """Why a job failed."""

    INVALID_REQUEST = "invalid_request"
    LORA_UNUSABLE = "lora_unusable"
    OUT_OF_MEMORY = "out_of_memory"
    MODEL_FAILED = "model_failed"
    STORAGE_FAILED = "storage_failed"
    EXPIRED = "expired"
    """It waited in SageMaker's queue longer than it may."""
    LOST = "lost"
    """No completion ever came and no pictures were found."""
    START_FAILED = "start_failed"
    """SageMaker refused it."""
    MODERATED = "moderated"
    """The moderation service refused the prompt or the pictures."""
    UNCHECKED = "unchecked"
    """The pictures were painted, but the moderation service could not be asked about them for too long."""


class JobFailure(BaseModel):
    """What a person needs to know of a failed job; `reference` is in the logs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: JobFailureCode
    message: str
    reference: str
