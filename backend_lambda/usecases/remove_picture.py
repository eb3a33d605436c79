"""Take a picture out of a draft."""

from __future__ import annotations

from datetime import datetime

from backend_lambda.callers import Caller
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import Training
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.training_record import DATASET, THUMBNAILS, TrainingRecord
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.read_training import check_state, find_own_training
from backend_lambda.usecases.training_view import view_training


def remove_picture(caller: Caller, training_id: str, picture_id: str, ports: TrainingPorts) -> Training:
    """The training without it, and nothing of it left; one that is not there is no matter. Raises `TrainingNotFound`,
    `NotAllowed`, `TrainingNotInState`.
    """
    record = find_own_training(caller, training_id, ports)

    def plan(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        check_state(current, TrainingState.DRAFT, "Pictures can be removed from a draft only.")
        return current.without_picture(picture_id) if current.picture(picture_id) is not None else None

    record = change_training(record, plan, ports)
    ports.files.delete(*kept_keys(record, picture_id), f"{record.uploads_prefix}{picture_id}")
    return view_training(record, ports.files)


def kept_keys(record: TrainingRecord, picture_id: str) -> tuple[str, str]:
    """Where an accepted picture lies: large and small."""
    return f"{record.prefix}{DATASET}{picture_id}.png", f"{record.prefix}{THUMBNAILS}{picture_id}.png"
