"""One asynchronous request, and what SageMaker says about it in the end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploy.local.sagemaker.aws_protocol import AwsError

INPUT_PREFIX = "X-Amzn-SageMaker-"
MAX_INLINE_BYTES = 128_000
DEFAULT_TTL_SECONDS = 21_600
DEFAULT_TIMEOUT_SECONDS = 900


@dataclass
class AsyncInvocation:
    """`body` is set for inline requests; the others are read from `input_location` when their turn comes."""

    endpoint_name: str
    inference_id: str
    input_location: str | None
    body: bytes | None
    content_type: str
    accept: str
    custom_attributes: str | None
    ttl_seconds: int
    timeout_seconds: int
    output_location: str
    failure_location: str | None
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    queued_at: float = field(default_factory=time.monotonic)
    attempts: int = 0

    @staticmethod
    def from_request(
        endpoint_name: str, headers: Mapping[str, str], body: bytes, output: Mapping[str, Any]
    ) -> AsyncInvocation:
        """Checks what the service checks before it answers 202. Raises `AwsError` (`ValidationError`)."""

        def header(name: str) -> str | None:
            return headers.get(INPUT_PREFIX + name)

        def number(name: str, default: int, lowest: int, highest: int) -> int:
            text = header(name)
            if text is None:
                return default
            if not text.isdigit() or not lowest <= int(text) <= highest:
                raise AwsError(
                    "ValidationError",
                    f"1 validation error detected: Value '{text}' at '{name}' failed to satisfy constraint: "
                    f"Member must be between {lowest} and {highest}",
                )
            return int(text)

        location = header("InputLocation")
        if bool(location) == bool(body):
            raise AwsError("ValidationError", "Exactly one of InputLocation and Body must be given.")
        if location and not location.startswith(("s3://", "https://")):
            raise AwsError("ValidationError", f"Invalid InputLocation: {location}")
        if len(body) > MAX_INLINE_BYTES:
            raise AwsError("ValidationError", f"Body must be at most {MAX_INLINE_BYTES} bytes.")
        inference_id = header("Inference-Id") or str(uuid.uuid4())
        if len(inference_id) > 64:
            raise AwsError("ValidationError", "InferenceId must have at most 64 characters.")
        name = str(uuid.uuid4())
        failures = output.get("S3FailurePath")
        return AsyncInvocation(
            endpoint_name=endpoint_name,
            inference_id=inference_id,
            input_location=location,
            body=body or None,
            content_type=header("Content-Type") or "application/octet-stream",
            accept=header("Accept") or "*/*",
            custom_attributes=header("Custom-Attributes"),
            ttl_seconds=number("RequestTTLSeconds", DEFAULT_TTL_SECONDS, 60, 21_600),
            timeout_seconds=number("InvocationTimeoutSeconds", DEFAULT_TIMEOUT_SECONDS, 1, 3_600),
            output_location=f"{output['S3OutputPath'].rstrip('/')}/{name}.out",
            failure_location=f"{failures.rstrip('/')}/{name}-error.out" if failures else None,
        )

    def answer_headers(self) -> dict[str, str]:
        """What the 202 carries."""
        headers = {INPUT_PREFIX + "OutputLocation": self.output_location}
        if self.failure_location:
            headers[INPUT_PREFIX + "FailureLocation"] = self.failure_location
        return headers

    def container_headers(self) -> dict[str, str]:
        """What the container is sent."""
        headers = {
            "Content-Type": self.content_type,
            "Accept": self.accept,
            INPUT_PREFIX + "Inference-Id": self.inference_id,
        }
        if self.custom_attributes:
            headers[INPUT_PREFIX + "Custom-Attributes"] = self.custom_attributes
        return headers

    def notification(self, region: str, status: str, *, failure: str | None = None) -> dict[str, Any]:
        """The SNS message. `status`: `Completed`, `Failed` or `Expired`."""
        message: dict[str, Any] = {
            "awsRegion": region,
            "eventTime": _timestamp(datetime.now(UTC)),
            "receivedTime": _timestamp(self.received_at),
            "invocationStatus": status,
            "requestParameters": {
                "accept": self.accept,
                "contentType": self.content_type,
                "endpointName": self.endpoint_name,
                "inputLocation": self.input_location,
            },
            "inferenceId": self.inference_id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        if status == "Completed":
            message["responseParameters"] = {
                "contentType": "application/json",
                "outputLocation": self.output_location,
            }
        else:
            message["failureReason"] = failure
            if self.failure_location:
                message["responseParameters"] = {"failureLocation": self.failure_location}
        return message


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
