"""Note that the endpoint works on a job, and tell."""

from __future__ import annotations

import logging

from pydantic import ValidationError

from backend_lambda.contract.events import JobProgressed
from backend_lambda.contract.job_state import OPEN_STATES, JobState
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.ports import Overtaken, Ports
from backend_lambda.usecases.settle_job import facts
from endpoint.contract import PROGRESS_NAME, Progress

logger = logging.getLogger(__name__)


def record_progress(job_id: str, key: str, ports: Ports) -> JobRecord | None:
    """Read the job's progress from the object `key`, move the job to running, announce the step.

    Steps only go up: what is older than what was told, of a final or unknown job, or no longer there, is dropped
    (then None is returned). A step may stay untold when the bus refuses it: the next one follows within seconds.
    """
    record = ports.jobs.get(job_id)
    if record is None or key != record.prefix + PROGRESS_NAME:
        logger.warning("progress of an unknown job", extra={"job_id": job_id})
        return None
    if record.state.is_final:
        return None
    content = ports.pictures.read(key)
    if content is None:
        return None
    try:
        progress = Progress.model_validate_json(content)
    except ValidationError:
        logger.error("progress that can't be read", extra={"job_id": job_id})
        return None
    if progress.job_id != job_id:
        logger.error("progress that names another job", extra={"job_id": job_id})
        return None
    now = ports.clock.now()
    changes = JobChanges(state=JobState.RUNNING, step=progress.step)
    if record.state is not JobState.RUNNING:
        changes["started_at"] = now
        changes["due_at"] = now + ports.timing.invocation + ports.timing.grace
    try:
        moved = ports.jobs.update(job_id, changes, when=OPEN_STATES, step_below=progress.step)
    except Overtaken:
        return None
    ports.bus.publish(
        JobProgressed(
            **{**facts(moved, f"progressed:{progress.step}"), "at": now},
            step=progress.step,
            steps=progress.steps,
        )
    )
    return moved
