"""Bring a job to its end when SageMaker says that it is over, or when nobody ever said so."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import ValidationError

from backend_lambda.contract.errors import JobFailure, JobFailureCode
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import JobGrid, JobPicture
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.ports import ModerationUnavailable, Overtaken, Ports, Timing
from backend_lambda.usecases.describe_failure import describe, describe_endpoint_error, find_endpoint_error
from backend_lambda.usecases.reserve_usage import steps_of_megapixels
from backend_lambda.usecases.settle_job import conclude, has_refused_pictures, remove_files, settle_job
from endpoint.contract import MANIFEST_NAME, EndpointError, EndpointErrorCode, Manifest

logger = logging.getLogger(__name__)

_LONGEST_LOGGED_REASON = 500


class Outcome(StrEnum):
    """How SageMaker says that an invocation ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    LOST = "lost"
    """It says nothing, and its time is up."""


@dataclass(frozen=True)
class Completion:
    """The end of an invocation. `reason` and `failure_location` (an S3 URI) say more where it failed."""

    job_id: str
    outcome: Outcome
    reason: str | None = None
    failure_location: str | None = None


def finish_job(completion: Completion, ports: Ports) -> JobRecord | None:
    """Settle the job, once, whatever came before and however often this is told. Returns it, or None if it is unknown.

    A job whose manifest lies in the bucket has succeeded, whatever SageMaker says: it may have run twice. But where the
    moderation refuses its pictures it has failed, and they are deleted.
    Raises what the ports raise; then it is to be told again. So it is where the moderation can't be asked; only when
    it was asked for `Timing.moderation` after the job's time was up, the job fails without having been looked at.
    """
    record = ports.jobs.get(completion.job_id)
    if record is None:
        logger.warning("completion of an unknown job", extra={"job_id": completion.job_id})
        return None
    if not record.state.is_final:
        try:
            record = conclude(record, _end(record, completion, ports), ports)
        except Overtaken as overtaken:
            record = overtaken.record or record
        else:
            _learn_from(record, ports)
    if record.state in {JobState.CANCELLED, JobState.DELETED} or has_refused_pictures(record):
        # It was painted in vain: nobody is to see this.
        remove_files(record, ports)
    return settle_job(record, ports)


def _learn_from(record: JobRecord, ports: Ports) -> None:
    """Whoever finished a job tells how long it took; dying before this loses one job of many."""
    if record.model_seconds is not None:
        work = steps_of_megapixels(record.settings)
        ports.paces.note(record.endpoint, steps_of_megapixels=work, seconds=record.model_seconds)


def _end(record: JobRecord, completion: Completion, ports: Ports) -> JobChanges:
    content = ports.pictures.read(record.prefix + MANIFEST_NAME)
    if content is not None:
        return _painted(record, completion, content, ports)
    reason = (completion.reason or "")[:_LONGEST_LOGGED_REASON]
    logged = {"job_id": record.job_id, "outcome": completion.outcome.value, "reason": reason}
    match completion.outcome:
        case Outcome.COMPLETED:
            failure = describe(JobFailureCode.STORAGE_FAILED)
        case Outcome.EXPIRED:
            failure = describe(JobFailureCode.EXPIRED)
        case Outcome.FAILED | Outcome.LOST:
            error = find_endpoint_error(completion.reason) or _stored_error(record, completion, ports)
            if error is not None and error.code is EndpointErrorCode.CANCELLED:
                return {"state": JobState.CANCELLED}
            if error is not None:
                failure = describe_endpoint_error(error)
            elif completion.outcome is Outcome.LOST:
                failure = describe(JobFailureCode.LOST)
            else:
                failure = describe(JobFailureCode.MODEL_FAILED)
    return _failed(failure, logged)


def _stored_error(record: JobRecord, completion: Completion, ports: Ports) -> EndpointError | None:
    """The error in the object that SageMaker writes for a failed invocation, where it says so."""
    location = record.failure_location or completion.failure_location
    content = ports.pictures.read_location(location) if location else None
    return find_endpoint_error(content.decode(errors="replace")) if content else None


def _failed(failure: JobFailure, logged: dict[str, str]) -> JobChanges:
    logger.error("job failed", extra={**logged, "failure": failure.code.value, "reference": failure.reference})
    return {"state": JobState.FAILED, "failure": failure}


def _painted(record: JobRecord, completion: Completion, content: bytes, ports: Ports) -> JobChanges:
    logged = {"job_id": record.job_id}
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        # The errors' places and kinds, not their input.
        logged["reason"] = str([(problem["loc"], problem["type"]) for problem in error.errors()])
        return _failed(describe(JobFailureCode.MODEL_FAILED), logged)
    keys = [picture.key for picture in manifest.pictures] + ([manifest.grid.key] if manifest.grid else [])
    if manifest.job_id != record.job_id or not keys or not all(_belongs(key, record.prefix) for key in keys):
        logged["reason"] = "the manifest names another job's files, or none"
        return _failed(describe(JobFailureCode.MODEL_FAILED), logged)
    bucket = ports.pictures.bucket
    pictures = tuple(
        JobPicture(bucket=bucket, **picture.model_dump(exclude={"sha256"})) for picture in manifest.pictures
    )
    seconds = manifest.timings.total_seconds
    try:
        verdict = ports.moderation.check_pictures(pictures)
    except ModerationUnavailable:
        if completion.outcome is not Outcome.LOST or ports.clock.now() < _asks_until(record, ports.timing):
            raise
        # What nobody could check is not shown.
        logged["reason"] = "the moderation could not be asked"
        return {**_failed(describe(JobFailureCode.UNCHECKED), logged), "model_seconds": seconds}
    if verdict.refused_for is not None:
        logged["reason"] = verdict.refused_for
        return {**_failed(describe(JobFailureCode.MODERATED), logged), "model_seconds": seconds}
    return {
        "state": JobState.SUCCEEDED,
        "pictures": pictures,
        "grid": JobGrid(bucket=bucket, **manifest.grid.model_dump()) if manifest.grid else None,
        "model_seconds": seconds,
    }


def _asks_until(record: JobRecord, timing: Timing) -> datetime:
    return record.attempted_at + timing.queue + timing.invocation + timing.grace + timing.moderation


def _belongs(key: str, prefix: str) -> bool:
    """Whether a key names a file of the job itself."""
    return key.startswith(prefix) and "/" not in key[len(prefix) :] and len(key) > len(prefix)
