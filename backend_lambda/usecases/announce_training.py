"""Tell the bus what has happened to a training: noted in the record with the change itself, published after it."""

from __future__ import annotations

import logging
from datetime import datetime

from backend_lambda.contract.training_events import TRAINING_EVENT_TYPES, TrainingEvent, TrainingProgressed
from backend_lambda.contract.trainings import Training
from backend_lambda.ports import PublishFailed
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.training_record import Pending, TrainingRecord
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.training_view import view_picture, view_training

logger = logging.getLogger(__name__)


def with_event(
    record: TrainingRecord, event: type[TrainingEvent], now: datetime, *, approvals_place: str = ""
) -> TrainingRecord:
    """The record as it is to be written, with the event noted in its outbox. Progress that was not told yet is left out
    where newer progress in the same state follows.
    """
    pending = Pending(
        name=event.__name__,
        sequence=record.sequence + 1,
        at=now,
        training=view_training(record, None, with_pictures=False).model_dump_json(),
        approvals_place=approvals_place,
    )
    kept = [
        one
        for one in record.outbox
        if not (event is TrainingProgressed and one.name == pending.name and _state(one) is record.state)
    ]
    return record.model_copy(update={"sequence": pending.sequence, "outbox": (*kept, pending)})


def announce(record: TrainingRecord, ports: TrainingPorts) -> TrainingRecord:
    """Publish what is in the outbox, in its order, and empty it. Where the bus does not take it, it stays there: the
    sweeper tells it later. Told twice, it has the same `event_id`. Returns the record after that.
    """
    told = 0
    for pending in record.outbox:
        try:
            ports.bus.publish(_event(record, pending))
        except PublishFailed:
            logger.warning(
                "event not published", extra={"training_id": record.training_id, "event": pending.name}, exc_info=True
            )
            break
        told = pending.sequence
    if not told:
        return record

    def forget(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        left = tuple(pending for pending in current.outbox if pending.sequence > told)
        return current.model_copy(update={"outbox": left}) if left != current.outbox else None

    return change_training(record, forget, ports)


def _event(record: TrainingRecord, pending: Pending) -> TrainingEvent:
    training = Training.model_validate_json(pending.training)
    pictures = [view_picture(record, picture, None) for picture in record.pictures]
    more = {"approvals_place": pending.approvals_place} if pending.approvals_place else {}
    return TRAINING_EVENT_TYPES[pending.name].model_validate(
        {
            "event_id": f"{record.training_id}:{pending.sequence}",
            "sequence": pending.sequence,
            "training": training.model_copy(update={"pictures": pictures}),
            "at": pending.at,
            **more,
        }
    )


def _state(pending: Pending) -> object:
    return Training.model_validate_json(pending.training).state
