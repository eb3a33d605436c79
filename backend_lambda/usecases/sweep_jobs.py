"""Look after the jobs that nobody looks after: lost starts, lost completions, lost announcements."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime

from backend_lambda.contract.errors import JobFailureCode
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import Overtaken, StartingPorts
from backend_lambda.usecases.describe_failure import describe
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.settle_job import fail_job, settle_job
from backend_lambda.usecases.start_job import claim_start, start_job

logger = logging.getLogger(__name__)

_PAGE = 50
FAILED = "errors"
"""What the sweep counts a job under that it could not handle."""


def sweep_jobs(ports: StartingPorts, *, until: datetime) -> Counter[str]:
    """Handle every unsettled job whose time has come, until there is none or it is `until`. Counts the states in which
    it left them.

    Any number of sweepers may run beside one another and beside everything else: each step is a conditional write.
    A job that can't be handled is postponed and does not stop the others.
    """
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    while ports.clock.now() < until:
        # The index lags: what was just handled may still stand there.
        fresh = [job_id for job_id in ports.jobs.due(ports.clock.now(), _PAGE) if job_id not in seen]
        if not fresh:
            break
        for job_id in fresh:
            if ports.clock.now() >= until:
                break
            seen.add(job_id)
            try:
                left = _look_after(job_id, ports)
            except Exception:
                logger.exception("job could not be swept", extra={"job_id": job_id})
                counts[FAILED] += 1
                _postpone(job_id, ports)
            else:
                if left is not None:
                    counts[left.state.value] += 1
    return counts


def _look_after(job_id: str, ports: StartingPorts) -> JobRecord | None:
    record = ports.jobs.get(job_id)
    if record is None or record.due_at is None or record.due_at > ports.clock.now():
        return None
    logger.info("job overdue", extra={"job_id": job_id, "state": record.state.value, "attempts": record.attempts})
    if record.state.is_final:
        return settle_job(record, ports)
    if record.state is not JobState.ACCEPTED:
        return finish_job(Completion(job_id, Outcome.LOST), ports)
    try:
        if record.attempts < ports.timing.starts:
            return start_job(claim_start(record, ports), ports)
        failure = describe(JobFailureCode.START_FAILED)
        logger.error("job could not be started", extra={"job_id": job_id, "reference": failure.reference})
        return fail_job(record, failure, ports)
    except Overtaken:
        return None


def _postpone(job_id: str, ports: StartingPorts) -> None:
    try:
        record = ports.jobs.get(job_id)
        if record is not None and record.due_at is not None:
            due_at = ports.clock.now() + ports.timing.postponement
            ports.jobs.update(job_id, {"due_at": due_at}, when={record.state})
    except Exception:
        # The store itself fails: the next sweep finds the job where it was.
        logger.exception("job could not be postponed", extra={"job_id": job_id})
