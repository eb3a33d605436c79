"""Do what a training's end still asks for: announce it, stop its job, delete its pictures when their time is up."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from backend_lambda.contract.training_state import TrainingState
from backend_lambda.training_ports import JobPostponed, JobStatus, TrainingPorts
from backend_lambda.training_record import (
    CHECKPOINTS,
    CONTACT_SHEET,
    DATASET,
    OUTPUT,
    THUMBNAILS,
    TrainingRecord,
)
from backend_lambda.usecases.announce_training import announce
from backend_lambda.usecases.change_training import change_training

logger = logging.getLogger(__name__)


def settle_training(record: TrainingRecord, ports: TrainingPorts) -> TrainingRecord:
    """Bring a training that has ended to rest, as far as it is time for that; an open one is only announced. Returns it
    as it is after that.

    Every step may be done twice without harm; whoever dies in the middle leaves it to the sweeper. Raises what the
    ports raise, but for what is worth a later try.
    """
    record = announce(record, ports)
    if not record.state.is_final:
        return record
    if not record.is_job_over:
        record = _end_job(record, ports)
    is_time = record.keep_dataset_until is None or record.keep_dataset_until <= ports.clock.now()
    # What was not announced yet names the pictures.
    if record.dataset_deleted or record.outbox or not record.is_job_over or not is_time:
        return record
    _delete_files(record, ports)
    logger.info("data set deleted", extra={"training_id": record.training_id, "state": record.state.value})
    return _mark(record, ports, state=record.state, dataset_deleted=True, pictures=(), contact_sheet=None)


def _end_job(record: TrainingRecord, ports: TrainingPorts) -> TrainingRecord:
    """Whoever ended a training that SageMaker may have sees to it that nothing runs on, and that nothing more is
    written: only then its files are deleted for good.
    """
    try:
        condition = ports.jobs.condition(record.training_id)
        # A start that was under way when it was cancelled may still arrive.
        may_come = record.attempted_at is not None and ports.clock.now() < record.attempted_at + ports.timing.unknown
        if condition.status.is_over and not (condition.status is JobStatus.MISSING and may_come):
            return _mark(record, ports, state=record.state, is_job_over=True)
        if condition.status in {JobStatus.STARTING, JobStatus.RUNNING}:
            ports.jobs.stop(record.training_id)
    except JobPostponed:
        logger.warning("job not stopped yet", extra={"training_id": record.training_id}, exc_info=True)
    # Nothing to note but that somebody has looked: the next look is due later.
    return _mark(record, ports, state=record.state)


def _mark(record: TrainingRecord, ports: TrainingPorts, *, state: TrainingState, **changes: Any) -> TrainingRecord:
    def plan(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        # Somebody deleted it meanwhile, and settles that.
        return current.model_copy(update=changes) if current.state is state else None

    return change_training(record, plan, ports)


def _delete_files(record: TrainingRecord, ports: TrainingPorts) -> None:
    ports.files.delete_below(record.uploads_prefix)
    if record.state is TrainingState.DELETED:
        ports.files.delete_below(record.prefix)
        return
    for part in (DATASET, THUMBNAILS, CHECKPOINTS, OUTPUT):
        ports.files.delete_below(record.prefix + part)
    ports.files.delete(record.prefix + CONTACT_SHEET)
