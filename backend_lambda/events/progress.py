"""Progress files that the endpoint has written: S3 events by way of EventBridge and an SQS queue."""

from __future__ import annotations

import logging
import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from backend_lambda import wiring
from backend_lambda.events.batch import handle_batch
from backend_lambda.ports import Ports
from backend_lambda.usecases.record_progress import record_progress
from endpoint.contract import PROGRESS_NAME

logger = logging.getLogger(__name__)

_KEY = re.compile(rf"tenants/[^/]+/jobs/(?P<job_id>job-[a-z2-7]{{26}})/{re.escape(PROGRESS_NAME)}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Bucket(_Part):
    name: str


class _Object(_Part):
    key: str


class _Detail(_Part):
    bucket: _Bucket
    object: _Object


class _Message(_Part):
    """An "Object Created" event. https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""

    detail: _Detail


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Follow the jobs that a batch of messages is about."""
    ports = wiring.ports()
    return handle_batch(event, context, lambda body: handle_message(body, ports))


def handle_message(body: str, ports: Ports) -> None:
    """Follow the job whose progress file was written. Raises `ValidationError` for what is no event of S3's."""
    detail = _Message.model_validate_json(body).detail
    key = _KEY.fullmatch(detail.object.key)
    if key is None or detail.bucket.name != ports.pictures.bucket:
        logger.warning("event about another object", extra={"bucket": detail.bucket.name})
        return
    wiring.logger().append_keys(job_id=key["job_id"])
    record_progress(key["job_id"], detail.object.key, ports)
