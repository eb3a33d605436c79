"""Cancel a job that is not finished, or delete the pictures of one that is."""

from __future__ import annotations

import logging

from backend_lambda.callers import Caller
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import Job
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import Overtaken, Ports
from backend_lambda.usecases.job_view import view_job
from backend_lambda.usecases.read_job import find_job
from backend_lambda.usecases.settle_job import conclude, settle_job

logger = logging.getLogger(__name__)

# A job's way has four states at most, and each turn of the loop that is overtaken saw it move.
_TURNS = 6


def delete_job(caller: Caller, job_id: str, ports: Ports, *, only_open: bool = False) -> Job:
    """An open job becomes cancelled and its endpoint stops; a final one loses its files and becomes deleted, or with
    `only_open` stays what it is, as a deleted one does. Raises `JobNotFound`.
    """
    record = find_job(caller, job_id, ports)
    for _ in range(_TURNS):
        try:
            record = _delete(record, ports, only_open)
        except Overtaken as overtaken:
            record = overtaken.record or record
            continue
        logger.info("job deleted", extra={"job_id": job_id, "state": record.state.value, "by": caller.arn})
        return view_job(record, ports.pictures)
    raise AssertionError(f"{job_id} changes faster than it may")


def _delete(record: JobRecord, ports: Ports, only_open: bool) -> JobRecord:
    if not record.state.is_final:
        return settle_job(conclude(record, {"state": JobState.CANCELLED}, ports), ports)
    # What has happened is announced before its pictures go.
    record = settle_job(record, ports)
    if record.state is JobState.DELETED or only_open:
        return settle_job(record, ports)
    deleted = ports.jobs.update(
        record.job_id,
        {"state": JobState.DELETED, "due_at": ports.clock.now() + ports.timing.announcement},
        when={record.state},
    )
    return settle_job(deleted, ports)
