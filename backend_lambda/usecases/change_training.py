"""Change a training: read, decide, write; and again where somebody else was faster."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from random import uniform

from backend_lambda.contract.access import AuditEntry
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.ports import StoreBusy
from backend_lambda.training_ports import TrainingOvertaken, TrainingPorts, TrainingTiming
from backend_lambda.training_record import TrainingRecord

logger = logging.getLogger(__name__)

_ATTEMPTS = 40
_FIRST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 0.5

Plan = Callable[[TrainingRecord, datetime], TrainingRecord | None]
"""What to make of what is there, by the time; None: all is as it should be. May raise a refusal. Called again for every
attempt.
"""
Audit = Callable[[TrainingRecord, TrainingRecord], AuditEntry]
"""The audit record of a change, by what was there before and after."""


def change_training(
    record: TrainingRecord, plan: Plan, ports: TrainingPorts, audit: Audit | None = None
) -> TrainingRecord:
    """Carry out the plan once, beginning with the record that was read. Returns the training as it is after that. A
    move between states is a legal one, or an `AssertionError`. Raises what the plan raises, or `StoreBusy` where others
    were faster every time.
    """
    for attempt in range(_ATTEMPTS):
        now = ports.clock.now()
        changed = plan(record, now)
        if changed is None:
            return record
        assert changed.state is record.state or record.state.may_become(changed.state), (record.state, changed.state)
        changed = changed.model_copy(update={"due_at": next_due(changed, now, ports.timing)})
        try:
            saved = ports.trainings.save(changed, audit(record, changed) if audit is not None else None)
        except TrainingOvertaken as overtaken:
            assert overtaken.record is not None, "a training's record is never removed"
            record = overtaken.record
        else:
            if saved.state is not record.state:
                logger.info("training moved", extra={"training_id": saved.training_id, "state": saved.state.value})
            return saved
        ports.wait(uniform(0, min(_FIRST_WAIT_SECONDS * 2**attempt, _LONGEST_WAIT_SECONDS)))
    raise StoreBusy("others change the training, again and again")


def next_due(record: TrainingRecord, now: datetime, timing: TrainingTiming) -> datetime | None:
    """When a sweeper is to look at it, if nothing happens before; None: never."""
    times = [now + timing.announcement] if record.outbox else []
    match record.state:
        case TrainingState.DRAFT | TrainingState.AWAITING_APPROVAL:
            times += [record.expires_at] if record.expires_at is not None else []
        case TrainingState.APPROVED:
            times.append((record.attempted_at or now) + timing.start * max(record.attempts, 1))
        case TrainingState.STARTING | TrainingState.RUNNING:
            times.append(now + (timing.listing if record.is_listing else timing.silence))
        case _ if not record.is_job_over:
            times.append(now + timing.silence)
        case _ if not record.dataset_deleted:
            times.append(max(record.keep_dataset_until or now, now + timing.announcement))
    return min(times, default=None)
