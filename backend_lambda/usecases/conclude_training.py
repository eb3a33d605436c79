"""Move a training to its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from backend_lambda.contract.training_events import (
    TrainingCancelled,
    TrainingDecided,
    TrainingEvent,
    TrainingExpired,
    TrainingFailed,
    TrainingSucceeded,
)
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import TrainingFailure
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.announce_training import with_event
from backend_lambda.usecases.change_training import change_training

_EVENTS: dict[TrainingState, type[TrainingEvent]] = {
    TrainingState.SUCCEEDED: TrainingSucceeded,
    TrainingState.FAILED: TrainingFailed,
    TrainingState.CANCELLED: TrainingCancelled,
    TrainingState.DENIED: TrainingDecided,
    TrainingState.EXPIRED: TrainingExpired,
}


def conclude(
    record: TrainingRecord, state: TrainingState, now: datetime, keep_dataset_days: int, changes: Mapping[str, Any]
) -> TrainingRecord:
    """The record in that final state, as it is to be written, with its event. Its pictures are kept so many days."""
    ended = {
        "state": state,
        "finished_at": now,
        "expires_at": None,
        "is_listing": False,
        "keep_dataset_until": now + timedelta(days=keep_dataset_days),
    }
    return with_event(record.model_copy(update=ended | dict(changes)), _EVENTS[state], now)


def conclude_training(
    record: TrainingRecord, state: TrainingState, ports: TrainingPorts, **changes: Any
) -> TrainingRecord:
    """Move an open training there, by the policy that holds now; one that has ended already stays as it is."""
    days = ports.trainings.policy(record.owner.tenant).keep_dataset_days

    def plan(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        if not current.state.may_become(state) or current.state.is_final:
            return None
        return conclude(current, state, now, days, changes)

    return change_training(record, plan, ports)


def fail_training(
    record: TrainingRecord, failure: TrainingFailure, ports: TrainingPorts, **changes: Any
) -> TrainingRecord:
    """Move an open training to failed."""
    return conclude_training(record, TrainingState.FAILED, ports, failure=failure, **changes)
