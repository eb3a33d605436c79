"""Follow a training by the progress file that its container writes."""

from __future__ import annotations

import logging
from datetime import datetime

from pydantic import ValidationError

from backend_lambda.contract.training_events import TrainingProgressed
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import StoredPicture, TrainingReport
from backend_lambda.training_ports import ReadTooLarge, TrainingPorts
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.announce_training import announce, with_event
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.follow_training import HANDED_OVER
from endpoint.training_contract import PROGRESS_NAME, TrainingProgress

logger = logging.getLogger(__name__)

_MOST_BYTES = 100_000


def report_training(training_id: str, key: str, ports: TrainingPorts) -> TrainingRecord | None:
    """Read the training's progress from the object `key`, note it, announce it. What is older than what was told, of a
    training that has ended or is unknown, or no longer there, is dropped (then None is returned).

    Steps may go back: an interrupted run goes on from its last checkpoint. So the file's own age orders them.
    """
    record = ports.trainings.get(training_id)
    if record is None or key != record.prefix + PROGRESS_NAME:
        logger.warning("progress of an unknown training", extra={"training_id": training_id})
        return None
    if record.state not in HANDED_OVER:
        return None
    try:
        found = ports.files.read(key, _MOST_BYTES)
        if found is None:
            return None
        progress = TrainingProgress.model_validate_json(found.content)
    except (ValidationError, ReadTooLarge):
        logger.error("progress that can't be read", extra={"training_id": training_id})
        return None
    if progress.training_id != training_id:
        logger.error("progress that names another training", extra={"training_id": training_id})
        return None
    report = TrainingReport(
        phase=progress.phase.value,
        step=progress.step,
        steps=progress.steps,
        loss=progress.loss,
        seconds_left=progress.seconds_left,
        loss_plot=_picture(progress.loss_key, record, ports),
        samples=_picture(progress.samples_key, record, ports),
    )
    written_at = found.written_at
    is_news = False

    def plan(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        nonlocal is_news
        is_news = current.state in HANDED_OVER and not current.is_listing and _is_later(current, report, written_at)
        if not is_news:
            return None
        moved = {"report": report, "reported_at": written_at, "is_job_over": False}
        # Who reports runs. Of an interruption after that SageMaker tells.
        if current.state is not TrainingState.RUNNING:
            moved |= {"state": TrainingState.RUNNING, "started_at": current.started_at or now}
        return with_event(current.model_copy(update=moved), TrainingProgressed, now)

    record = change_training(record, plan, ports)
    return announce(record, ports) if is_news else None


def _is_later(record: TrainingRecord, report: TrainingReport, written_at: datetime) -> bool:
    if record.report is None or record.reported_at is None or record.reported_at < written_at:
        return record.report != report
    # S3 tells times by the second.
    return record.reported_at == written_at and record.report.step < report.step


def _picture(key: str | None, record: TrainingRecord, ports: TrainingPorts) -> StoredPicture | None:
    """The picture, if it is one of the training's own files."""
    if key is None or not key.startswith(record.prefix) or "/" in key[len(record.prefix) :]:
        return None
    return StoredPicture(bucket=ports.files.bucket, key=key)
