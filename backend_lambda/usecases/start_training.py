"""Hand an approved training to SageMaker."""

from __future__ import annotations

import logging
from datetime import datetime

from backend_lambda.contract.training_events import TrainingProgressed
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import TrainingFailure, TrainingFailureCode
from backend_lambda.ports import TrainingMachine
from backend_lambda.training_ports import JobPostponed, JobRefused, TrainingJob, TrainingPorts
from backend_lambda.training_record import CHECKPOINTS, DATASET, OUTPUT, TrainingRecord
from backend_lambda.usecases.announce_training import announce, with_event
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.conclude_training import fail_training
from backend_lambda.usecases.describe_training_failure import describe_refusal_of_job, describe_training
from backend_lambda.usecases.settle_training import settle_training
from backend_lambda.usecases.training_request import training_request
from endpoint.training_contract import REQUEST_NAME

logger = logging.getLogger(__name__)

_LEAST_RUN_SECONDS = 1_800
_MOST_RUN_SECONDS = 5 * 24 * 3_600
"""SageMaker's own limit is 28 days; nobody trains a LoRA for more than five."""


def start_training(record: TrainingRecord, ports: TrainingPorts) -> TrainingRecord:
    """Start an approved training, as far as nobody else is at it: whoever claims this attempt hands it over. Returns
    the training after that: starting or further; still approved where SageMaker could not be asked (the sweeper tries
    again); failed where it refused, or was asked often enough.
    """
    claim = record.attempts
    is_claimed = False

    def claimed(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        nonlocal is_claimed
        is_claimed = False
        if current.state is not TrainingState.APPROVED or current.attempts != claim:
            return None
        is_claimed = True
        # From here on there may be a job.
        return current.model_copy(update={"attempts": claim + 1, "attempted_at": now, "is_job_over": False})

    if record.state is TrainingState.APPROVED and record.attempts >= ports.timing.starts:
        return _fail(record, describe_training(TrainingFailureCode.START_FAILED), ports)
    record = change_training(record, claimed, ports)
    if not is_claimed:
        return record
    entry = ports.catalog.find(record.endpoint)
    if entry is None or entry.training is None:
        return _fail(record, describe_training(TrainingFailureCode.START_FAILED), ports)
    request = training_request(record, ports.files.bucket)
    content = request.model_dump_json().encode()
    try:
        ports.files.write(record.prefix + DATASET + REQUEST_NAME, content, "application/json")
        ports.jobs.start(_job(record, entry.training))
    except JobPostponed:
        logger.warning("start postponed", extra={"training_id": record.training_id}, exc_info=True)
        return record
    except JobRefused as refused:
        logger.exception("start refused", extra={"training_id": record.training_id})
        return _fail(record, describe_refusal_of_job(refused.why), ports)

    def started(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        if current.state is not TrainingState.APPROVED:
            # Its progress, its end or a cancellation was faster than this line: it knows better.
            return None
        return with_event(current.model_copy(update={"state": TrainingState.STARTING}), TrainingProgressed, now)

    record = announce(change_training(record, started, ports), ports)
    # Cancelled while it was handed over: it is stopped.
    return settle_training(record, ports) if record.state.is_final else record


def _fail(record: TrainingRecord, failure: TrainingFailure, ports: TrainingPorts) -> TrainingRecord:
    logger.error(
        "training could not be started",
        extra={"training_id": record.training_id, "failure": failure.code.value, "reference": failure.reference},
    )
    return settle_training(fail_training(record, failure, ports), ports)


def _job(record: TrainingRecord, machine: TrainingMachine) -> TrainingJob:
    seconds = min(max(3 * record.estimate.seconds, _LEAST_RUN_SECONDS), _MOST_RUN_SECONDS)
    return TrainingJob(
        training_id=record.training_id,
        tenant=record.owner.tenant,
        member=record.owner.member,
        model=record.model,
        machine=machine,
        dataset_prefix=record.prefix + DATASET,
        checkpoints_prefix=record.prefix + CHECKPOINTS,
        output_prefix=record.prefix + OUTPUT,
        max_run_seconds=seconds,
    )
