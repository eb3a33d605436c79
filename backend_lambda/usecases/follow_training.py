"""Follow SageMaker's job of a training. Its events only say that something has changed: what, SageMaker is asked.

So it does not matter in which order they come, how often, or whether they come at all.
"""

from __future__ import annotations

import logging
from datetime import datetime

from backend_lambda.contract.training_events import TrainingProgressed
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.training_ports import JobCondition, JobStatus, TrainingPorts
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.announce_training import with_event
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.conclude_training import conclude_training, fail_training
from backend_lambda.usecases.describe_training_failure import describe_job
from backend_lambda.usecases.finish_training import finish_training
from backend_lambda.usecases.settle_training import settle_training

logger = logging.getLogger(__name__)

HANDED_OVER = frozenset({TrainingState.APPROVED, TrainingState.STARTING, TrainingState.RUNNING})
"""SageMaker may have a job of a training in one of these states."""
_STATES = {JobStatus.STARTING: TrainingState.STARTING, JobStatus.RUNNING: TrainingState.RUNNING}


def follow_training(training_id: str, ports: TrainingPorts) -> TrainingRecord | None:
    """Bring the training to where its job is. Returns it, or None if it is unknown. Raises `JobPostponed` and what the
    other ports raise; then it is to be told again.
    """
    record = ports.trainings.get(training_id)
    if record is None:
        logger.warning("job of an unknown training", extra={"training_id": training_id})
        return None
    if record.state in HANDED_OVER:
        record = _follow(record, ports.jobs.condition(training_id), ports)
    return settle_training(record, ports)


def _follow(record: TrainingRecord, condition: JobCondition, ports: TrainingPorts) -> TrainingRecord:
    match condition.status:
        case JobStatus.STARTING | JobStatus.RUNNING | JobStatus.STOPPING:
            return change_training(record, lambda current, now: _moved(current, condition, now), ports)
        case JobStatus.COMPLETED:
            return finish_training(record, ports)
        case JobStatus.STOPPED:
            # Nobody did so here: then the training were cancelled. Someone has in AWS's own console.
            return conclude_training(record, TrainingState.CANCELLED, ports, is_job_over=True)
        case JobStatus.MISSING if _may_come(record, ports.clock.now(), ports):
            return record
    failure = describe_job(condition)
    logger.error(
        "training failed",
        extra={
            "training_id": record.training_id,
            "failure": failure.code.value,
            "reference": failure.reference,
            "reason": condition.reason[:500],
        },
    )
    return fail_training(record, failure, ports, is_job_over=True)


def _moved(record: TrainingRecord, condition: JobCondition, now: datetime) -> TrainingRecord | None:
    if record.state not in HANDED_OVER:
        return None
    if (
        record.observed_at is not None
        and condition.changed_at is not None
        and condition.changed_at < record.observed_at
    ):
        # Somebody has heard later news meanwhile.
        return None
    seen = record.model_copy(update={"observed_at": condition.changed_at, "is_job_over": False})
    state = _STATES.get(condition.status, record.state)
    if state is record.state or record.is_listing:
        return seen
    started_at = now if state is TrainingState.RUNNING and record.started_at is None else record.started_at
    return with_event(seen.model_copy(update={"state": state, "started_at": started_at}), TrainingProgressed, now)


def _may_come(record: TrainingRecord, now: datetime, ports: TrainingPorts) -> bool:
    """Whether SageMaker may not know of the job yet."""
    if record.state is TrainingState.APPROVED or record.attempted_at is None:
        return True
    return now < record.attempted_at + ports.timing.unknown
