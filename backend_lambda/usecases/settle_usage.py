"""What a job that has ended leaves on the counters: what it used, and not what was reserved for it."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.usage import Count, Measure

_LONGEST_SECONDS = 3_600
"""No asynchronous invocation may take longer; a model's own report is believed no more than that."""


def used_by(record: JobRecord, changes: JobChanges, now: datetime) -> tuple[Count, ...]:
    """What the open job `record` holds once the final `changes` are made: nothing of what counts jobs at once, and

    - succeeded: its pictures, and the endpoint's own time for it, however much was reserved;
    - cancelled, or failed: the time since it was begun, at most what was reserved, and no pictures; but where a failed
      one says its own time (the pictures were refused afterwards), that time.
    """
    reserved = next((count.amount for count in record.holds if count.measure is Measure.GPU_MS), 0)
    pictures, milliseconds = False, 0
    if (seconds := changes.get("model_seconds")) is not None:
        milliseconds = ceil(min(seconds, _LONGEST_SECONDS) * 1_000)
    match changes["state"]:
        case JobState.SUCCEEDED:
            pictures = True
        case JobState.CANCELLED | JobState.FAILED if seconds is None and record.started_at is not None:
            begun = ceil((now - record.started_at).total_seconds() * 1_000)
            milliseconds = min(max(begun, 0), reserved)
    kept = {Measure.GPU_MS: milliseconds, Measure.JOBS: 0}
    left = (
        Count(count.counter, count.measure, kept.get(count.measure, count.amount if pictures else 0))
        for count in record.holds
    )
    return tuple(count for count in left if count.amount)
