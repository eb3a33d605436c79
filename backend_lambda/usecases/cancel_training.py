"""Cancel a training that is open, or delete what is left of one that has ended."""

from __future__ import annotations

import logging
from datetime import datetime

from backend_lambda.callers import Caller
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import Training
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.conclude_training import conclude
from backend_lambda.usecases.read_training import find_training
from backend_lambda.usecases.refusals import TrainingNotInState
from backend_lambda.usecases.settle_training import settle_training
from backend_lambda.usecases.training_view import view_training

logger = logging.getLogger(__name__)


def cancel_training(caller: Caller, training_id: str, ports: TrainingPorts, *, only_open: bool = False) -> Training:
    """An open training becomes cancelled and its job is stopped; one that has ended loses its files and becomes
    deleted, or with `only_open` stays what it is. A LoRA that came of it stays: it is the registry's.

    Raises `TrainingNotFound`, and `TrainingNotInState` in the moment in which its LoRA is being listed.
    """
    record = find_training(caller, training_id, ports)
    days = ports.trainings.policy(caller.tenant).keep_dataset_days
    was_open = not record.state.is_final

    def cancelled(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        if current.state.is_final:
            return None
        if current.is_listing:
            raise TrainingNotInState(
                "This training is just finishing. Look again in a minute: then it can be deleted.",
                field="state",
                given=current.state.value,
                allowed="a training that runs, or has ended",
            )
        return conclude(current, TrainingState.CANCELLED, now, days, {})

    def deleted(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        if not current.state.is_final or current.state is TrainingState.DELETED:
            return None
        return current.model_copy(
            update={
                "state": TrainingState.DELETED,
                "pictures": (),
                "context": {},
                "contact_sheet": None,
                "report": None,
                "keep_dataset_until": None,
                "dataset_deleted": False,
            }
        )

    if was_open:
        record = change_training(record, cancelled, ports)
        # Whoever cancels does not delete, should it have ended in this moment.
        record = settle_training(record, ports)
    else:
        # What has happened is announced before its pictures go.
        record = settle_training(record, ports)
        if not only_open:
            record = settle_training(change_training(record, deleted, ports), ports)
    logger.info("training deleted", extra={"training_id": training_id, "state": record.state.value, "by": caller.arn})
    return view_training(record, ports.files)
