"""Do what a job's final state still asks for: announce it, stop the endpoint, remove the files."""

from __future__ import annotations

import logging

from backend_lambda.contract.errors import JobFailure, JobFailureCode
from backend_lambda.contract.events import JobCancelled, JobFailed, JobSucceeded
from backend_lambda.contract.job_state import JobState, sources_of
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.ports import Overtaken, Ports
from backend_lambda.usage import changes_between
from backend_lambda.usecases.settle_usage import used_by
from endpoint.contract import CANCELLED_NAME

logger = logging.getLogger(__name__)

UNSHOWN = frozenset({JobFailureCode.MODERATED, JobFailureCode.UNCHECKED})
"""Failures of jobs that were painted all the same."""


def settle_job(record: JobRecord, ports: Ports) -> JobRecord:
    """Bring a final job to rest; one that is open or at rest already is left as it is. Returns the record after that.

    Every step may be done twice without harm: an event keeps its `event_id`. Whoever dies in the middle leaves the job
    unsettled, and the next delivery or the sweeper does it again. Raises what the ports raise.
    """
    if record.settled or not record.state.is_final:
        return record
    match record.state:
        case JobState.SUCCEEDED:
            ports.bus.publish(_succeeded(record))
        case JobState.FAILED:
            if has_refused_pictures(record):
                remove_files(record, ports)
            ports.bus.publish(_failed(record))
        case JobState.CANCELLED:
            ports.pictures.write(record.prefix + CANCELLED_NAME, b"", "text/plain")
            ports.bus.publish(_cancelled(record))
        case JobState.DELETED:
            remove_files(record, ports)
    try:
        settled = ports.jobs.update(record.job_id, {"due_at": None}, when={record.state})
    except Overtaken as overtaken:
        # Somebody deleted it meanwhile, and settles that.
        return overtaken.record or record
    logger.info("job settled", extra={"job_id": record.job_id, "state": record.state.value})
    return settled


def remove_files(record: JobRecord, ports: Ports) -> None:
    """Delete the job's files. A `cancelled` marker stays: the endpoint may not have come across it yet."""
    ports.pictures.delete_below(record.prefix, keep=record.prefix + CANCELLED_NAME)


def fail_job(record: JobRecord, failure: JobFailure, ports: Ports) -> JobRecord:
    """Move an open job to failed and announce it. Raises `Overtaken` where it is no longer open."""
    return settle_job(conclude(record, {"state": JobState.FAILED, "failure": failure}, ports), ports)


def has_refused_pictures(record: JobRecord) -> bool:
    """Whether it has been painted, and nobody is to see that."""
    return record.failure is not None and record.failure.code in UNSHOWN


def conclude(record: JobRecord, changes: JobChanges, ports: Ports) -> JobRecord:
    """Move the job to the final state in `changes`, unsettled, and give back what it held of limits and has not used,
    in the same step. Raises `Overtaken` where that move is not legal now.

    What an open job holds never changes, so `record` may be out of date.
    """
    now = ports.clock.now()
    final = JobChanges(finished_at=now, due_at=now + ports.timing.announcement)
    final.update(changes)
    used = used_by(record, changes, now)
    if used != record.holds:
        final["holds"] = used
    moved = ports.jobs.update(
        record.job_id, final, when=sources_of(changes["state"]), counts=changes_between(record.holds, used)
    )
    logger.info("job concluded", extra={"job_id": record.job_id, "state": moved.state.value})
    return moved


def _succeeded(record: JobRecord) -> JobSucceeded:
    return JobSucceeded(
        **facts(record, "succeeded"),
        pictures=list(record.pictures),
        grid=record.grid,
        model_seconds=record.model_seconds or 0.0,
    )


def _failed(record: JobRecord) -> JobFailed:
    assert record.failure is not None
    return JobFailed(**facts(record, "failed"), failure=record.failure)


def _cancelled(record: JobRecord) -> JobCancelled:
    return JobCancelled(**facts(record, "cancelled"))


def facts(record: JobRecord, fact: str) -> dict[str, object]:
    """What every event about a job says. The same fact has the same `event_id` however often it is told."""
    return {
        "event_id": f"{record.job_id}:{fact}",
        "job_id": record.job_id,
        "endpoint": record.endpoint,
        "model": record.model,
        "owner": record.owner,
        "settings": record.settings,
        "context": record.context,
        "created_at": record.created_at,
        "at": record.finished_at or record.created_at,
    }
