"""News of trainings, by way of EventBridge and one SQS queue: SageMaker's of its jobs, S3's of progress files."""

from __future__ import annotations

import logging
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from backend_lambda import wiring
from backend_lambda.events.batch import handle_batch
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.usecases.follow_training import follow_training
from backend_lambda.usecases.report_training import report_training
from endpoint.training_contract import PROGRESS_NAME

logger = logging.getLogger(__name__)

_KEY = re.compile(rf"tenants/[^/]+/trainings/(?P<training_id>trn-[a-z2-7]{{26}})/{re.escape(PROGRESS_NAME)}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Job(_Part):
    """What is read of "SageMaker Training Job State Change": which job. How it is, SageMaker is asked.

    https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
    """

    name: str = Field(alias="TrainingJobName", min_length=1)


class _Bucket(_Part):
    name: str


class _Object(_Part):
    key: str


class _Written(_Part):
    """An "Object Created" event's. https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""

    bucket: _Bucket
    object: _Object


class _Message(_Part):
    detail: _Job | _Written


_MESSAGES = TypeAdapter(_Message)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Follow the trainings that a batch of messages is about."""
    ports = wiring.training_ports()
    return handle_batch(event, context, lambda body: handle_message(body, ports))


def handle_message(body: str, ports: TrainingPorts) -> None:
    """Follow the training that a message is about. Raises `ValidationError` for what is none of these events."""
    detail = _MESSAGES.validate_json(body).detail
    if isinstance(detail, _Job):
        training_id = ports.jobs.training_of(detail.name)
        if training_id is None:
            # The rule matches by the beginning of the name; there may be other stacks, and jobs made by hand.
            logger.warning("event about another job", extra={"job": detail.name})
            return
        wiring.logger().append_keys(training_id=training_id)
        follow_training(training_id, ports)
        return
    key = _KEY.fullmatch(detail.object.key)
    if key is None or detail.bucket.name != ports.files.bucket:
        logger.warning("event about another object", extra={"bucket": detail.bucket.name})
        return
    wiring.logger().append_keys(training_id=key["training_id"])
    report_training(key["training_id"], detail.object.key, ports)
