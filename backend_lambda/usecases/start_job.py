"""Hand a recorded job to SageMaker."""

from __future__ import annotations

import logging

from backend_lambda.contract.errors import JobFailureCode
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import Overtaken, StartingPorts, StartPostponed, StartRefused
from backend_lambda.usecases.describe_failure import describe
from backend_lambda.usecases.settle_job import fail_job
from endpoint.contract import REQUEST_NAME, GenerateRequest, OutputLocation

logger = logging.getLogger(__name__)


def claim_start(record: JobRecord, ports: StartingPorts) -> JobRecord:
    """Take the right to hand an accepted job over once more. Raises `Overtaken` where another one was faster."""
    now = ports.clock.now()
    return ports.jobs.update(
        record.job_id,
        {
            "attempts": record.attempts + 1,
            "attempted_at": now,
            "due_at": now + ports.timing.start * (record.attempts + 1),
        },
        when={JobState.ACCEPTED},
        attempts=record.attempts,
    )


def start_job(record: JobRecord, ports: StartingPorts) -> JobRecord:
    """Hand over an accepted job whose start is the caller's by creation or claim. Returns the record after that:
    queued or further; still accepted where SageMaker could not be asked (the sweeper tries again); failed where it
    refused.
    """
    request_key = record.prefix + REQUEST_NAME
    ports.pictures.write(request_key, _request(record, ports).model_dump_json().encode(), "application/json")
    try:
        started = ports.starter.start(record.sagemaker_endpoint_name, record.job_id, request_key)
    except StartPostponed:
        logger.warning("start postponed", extra={"job_id": record.job_id, "attempts": record.attempts}, exc_info=True)
        return record
    except StartRefused:
        failure = describe(JobFailureCode.START_FAILED)
        logger.exception("start refused", extra={"job_id": record.job_id, "reference": failure.reference})
        try:
            return fail_job(record, failure, ports)
        except Overtaken as overtaken:
            return overtaken.record or record
    due_at = ports.clock.now() + ports.timing.queue + ports.timing.invocation + ports.timing.grace
    try:
        return ports.jobs.update(
            record.job_id,
            {
                "state": JobState.QUEUED,
                "output_location": started.output_location,
                "failure_location": started.failure_location,
                "due_at": due_at,
            },
            when={JobState.ACCEPTED},
        )
    except Overtaken as overtaken:
        # Progress, a completion or a cancellation was faster than this line: it knows better.
        current = overtaken.record or record
    if current.state is not JobState.RUNNING:
        return current
    try:
        return ports.jobs.update(
            record.job_id,
            {"output_location": started.output_location, "failure_location": started.failure_location},
            when={JobState.RUNNING},
        )
    except Overtaken as overtaken:
        return overtaken.record or current


def _request(record: JobRecord, ports: StartingPorts) -> GenerateRequest:
    settings = record.settings
    return GenerateRequest(
        job_id=record.job_id,
        prompt=settings.prompt,
        negative_prompt=settings.negative_prompt,
        width=settings.width,
        height=settings.height,
        seeds=settings.seeds,
        steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        loras=list(record.loras),
        output=OutputLocation(bucket=ports.pictures.bucket, prefix=record.prefix),
    )
