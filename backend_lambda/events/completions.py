"""SageMaker's messages about invocations that are over: success and error topics (SNS) into one SQS queue, raw."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend_lambda import wiring
from backend_lambda.events.batch import handle_batch
from backend_lambda.ports import Ports
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job

logger = logging.getLogger(__name__)


class _ResponseParameters(BaseModel):
    model_config = ConfigDict(extra="ignore")

    failure_location: str | None = Field(default=None, alias="failureLocation")


class _Message(BaseModel):
    """What is read of a message. https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html"""

    model_config = ConfigDict(extra="ignore")

    status: str = Field(alias="invocationStatus", min_length=1)
    inference_id: str = Field(alias="inferenceId", min_length=1, max_length=64)
    reason: str | None = Field(default=None, alias="failureReason")
    parameters: _ResponseParameters | None = Field(default=None, alias="responseParameters")


class _Envelope(BaseModel):
    """What SNS wraps around a message where raw delivery is off."""

    model_config = ConfigDict(extra="ignore")

    type: str | None = Field(default=None, alias="Type")
    message: str | None = Field(default=None, alias="Message")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Finish the jobs that a batch of messages is about."""
    ports = wiring.ports()
    return handle_batch(event, context, lambda body: handle_message(body, ports))


def handle_message(body: str, ports: Ports) -> None:
    """Finish the job that a message is about. Raises `ValidationError` for what is no message of SageMaker's."""
    completion = read_completion(body)
    if completion is not None:
        wiring.logger().append_keys(job_id=completion.job_id)
        finish_job(completion, ports)


def read_completion(body: str) -> Completion | None:
    """What a message says; None for a status that says nothing about the end (the sweeper watches over that job).
    Raises pydantic's `ValidationError` for what is no message of SageMaker's.
    """
    envelope = _Envelope.model_validate_json(body)
    if envelope.type == "Notification" and envelope.message is not None:
        body = envelope.message
    message = _Message.model_validate_json(body)
    location = message.parameters.failure_location if message.parameters else None
    match message.status.lower():
        case "completed":
            outcome = Outcome.COMPLETED
        case "expired":
            outcome = Outcome.EXPIRED
        case "failed":
            outcome = Outcome.FAILED
        case _ if message.reason or location:
            outcome = Outcome.FAILED
        case _:
            logger.error(
                "status that is new", extra={"job_id": message.inference_id, "invocation_status": message.status[:60]}
            )
            return None
    return Completion(message.inference_id, outcome, message.reason, location)
