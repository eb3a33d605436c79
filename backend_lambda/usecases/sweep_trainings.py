"""Look after the trainings that nobody looks after: lost starts, lost events, requests that nobody answered."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime

from backend_lambda.contract.training_state import TrainingState
from backend_lambda.training_ports import TrainingOvertaken, TrainingPorts
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.announce_training import announce
from backend_lambda.usecases.conclude_training import conclude_training
from backend_lambda.usecases.follow_training import follow_training
from backend_lambda.usecases.settle_training import settle_training
from backend_lambda.usecases.start_training import start_training

logger = logging.getLogger(__name__)

_PAGE = 50
FAILED = "errors"
"""What the sweep counts a training under that it could not handle."""


def sweep_trainings(ports: TrainingPorts, *, until: datetime) -> Counter[str]:
    """Handle every unsettled training whose time has come, until there is none or it is `until`. Counts the states in
    which it left them.

    Any number of sweepers may run beside one another and beside everything else: each step is a conditional write.
    A training that can't be handled is postponed and does not stop the others.
    """
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    while ports.clock.now() < until:
        # The index lags: what was just handled may still stand there.
        fresh = [one for one in ports.trainings.due(ports.clock.now(), _PAGE) if one not in seen]
        if not fresh:
            break
        for training_id in fresh:
            if ports.clock.now() >= until:
                break
            seen.add(training_id)
            try:
                left = _look_after(training_id, ports)
                if left is not None and _is_due(left, ports):
                    # Nothing could be done about it: so that it does not stand in the way of others.
                    _postpone(training_id, ports)
            except Exception:
                logger.exception("training could not be swept", extra={"training_id": training_id})
                counts[FAILED] += 1
                _postpone(training_id, ports)
            else:
                if left is not None:
                    counts[left.state.value] += 1
    return counts


def _look_after(training_id: str, ports: TrainingPorts) -> TrainingRecord | None:
    record = ports.trainings.get(training_id)
    if record is None or not _is_due(record, ports):
        return None
    logger.info("training overdue", extra={"training_id": training_id, "state": record.state.value})
    record = announce(record, ports)
    if not record.state.is_final and not _is_due(record, ports):
        return record
    match record.state:
        case TrainingState.DRAFT | TrainingState.AWAITING_APPROVAL:
            if record.expires_at is not None and record.expires_at <= ports.clock.now():
                record = conclude_training(record, TrainingState.EXPIRED, ports)
            return settle_training(record, ports)
        case TrainingState.APPROVED:
            return start_training(record, ports)
        case TrainingState.STARTING | TrainingState.RUNNING:
            return follow_training(training_id, ports)
    return settle_training(record, ports)


def _is_due(record: TrainingRecord, ports: TrainingPorts) -> bool:
    return record.due_at is not None and record.due_at <= ports.clock.now()


def _postpone(training_id: str, ports: TrainingPorts) -> None:
    try:
        record = ports.trainings.get(training_id)
        if record is not None and _is_due(record, ports):
            due_at = ports.clock.now() + ports.timing.postponement
            ports.trainings.save(record.model_copy(update={"due_at": due_at}))
    except TrainingOvertaken:
        # Somebody else is at it.
        return
    except Exception:
        # The store itself fails: the next sweep finds the training where it was.
        logger.exception("training could not be postponed", extra={"training_id": training_id})
