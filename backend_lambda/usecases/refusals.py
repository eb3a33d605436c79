"""Why a use case says no. The API turns each into an `ErrorBody`; the sentences are fit for people."""

from __future__ import annotations

from backend_lambda.contract.access import Allowance
from backend_lambda.contract.errors import ErrorCode


class Refusal(Exception):
    """A request that is not carried out, and nothing is changed by it."""

    code: ErrorCode

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        given: str | None = None,
        allowed: str | None = None,
        available: list[str] | None = None,
        limit: Allowance | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.given = given
        self.allowed = allowed
        self.available = available or []
        self.limit = limit


class FieldRefused(Refusal):
    """A field's value is not possible."""

    code = ErrorCode.INVALID_REQUEST


class EndpointNotFound(Refusal):
    """No endpoint has that name; `available` lists those there are."""

    code = ErrorCode.ENDPOINT_NOT_FOUND


class JobNotFound(Refusal):
    """No such job, or another tenant's."""

    code = ErrorCode.JOB_NOT_FOUND


class NotAllowed(Refusal):
    """IAM lets the caller ask, and it is not theirs to decide."""

    code = ErrorCode.NOT_ALLOWED


class LastAdmin(Refusal):
    """Nobody would be left who may grant."""

    code = ErrorCode.LAST_ADMIN


class AccessConflict(Refusal):
    """Others changed grants at the same time, again and again."""

    code = ErrorCode.ACCESS_CONFLICT


class GuardrailTooLong(Refusal):
    """STS would not take it as a session policy."""

    code = ErrorCode.GUARDRAIL_TOO_LONG


class IdempotencyConflict(Refusal):
    """The key was used with another request."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT


class LimitReached(Refusal):
    """`limit` is used up, or what is left of it is not enough."""

    code = ErrorCode.LIMIT_REACHED


class WordsBlocked(Refusal):
    """The prompt has a word that the tenant has blocked: `given` names it."""

    code = ErrorCode.BLOCKED_WORDS


class WebhookNotFound(Refusal):
    """No such webhook, or another tenant's."""

    code = ErrorCode.WEBHOOK_NOT_FOUND


class LoraNotFound(Refusal):
    """No such LoRA, another tenant's, or none that the caller may use; `available` lists names."""

    code = ErrorCode.LORA_NOT_FOUND


class LoraNotFitting(Refusal):
    """It was made for another model: `given` is that one's name, `allowed` the endpoint's."""

    code = ErrorCode.LORA_NOT_FITTING


class LoraNameTaken(Refusal):
    """The name is another LoRA's."""

    code = ErrorCode.LORA_NAME_TAKEN


class LoraFileUnusable(Refusal):
    """What was uploaded is no LoRA for that model, or nothing was."""

    code = ErrorCode.LORA_FILE_UNUSABLE


class NotYourLora(Refusal):
    """It is neither the caller's, nor is the caller an admin."""

    code = ErrorCode.NOT_ALLOWED


class TrainingNotFound(Refusal):
    """No such training, or another tenant's."""

    code = ErrorCode.TRAINING_NOT_FOUND


class TrainingNotInState(Refusal):
    """What was asked is not possible as the training stands: `given` says how it stands."""

    code = ErrorCode.TRAINING_NOT_IN_STATE


class PicturesMissing(Refusal):
    """Too few or too many pictures."""

    code = ErrorCode.PICTURES_MISSING


class SelfApproval(Refusal):
    """Who submitted it decides on the route for that, where a policy allows it."""

    code = ErrorCode.SELF_APPROVAL


class NoTrainingHere(Refusal):
    """The endpoint's model can't be trained."""

    code = ErrorCode.NO_TRAINING_HERE
