"""A job as the backend keeps it: what clients see (`contract.jobs.Job`), and what it takes to bring it to its end."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from backend_lambda.contract.errors import JobFailure
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import JobGrid, JobPicture, Owner, Settings
from backend_lambda.usage import Count
from endpoint.contract import LoraWeights

NOT_BEGUN = -1
"""`step` of a job that has reported no progress."""


@dataclass(frozen=True)
class JobRecord:
    """One job. Times are UTC.

    `due_at` is when a sweeper looks at it next; None says that it is settled: final, announced, nothing left to do.
    `attempts` counts the starts that were tried, the last one at `attempted_at`; `step` is the last one reported.
    `output_location` and `failure_location` are where SageMaker says it puts its answer. `holds` is what the job has
    of the limits' counters: reserved while it is open, used once it is final. `loras` are what `settings.loras`
    names, as the endpoint gets it.
    """

    job_id: str
    owner: Owner
    endpoint: str
    sagemaker_endpoint_name: str
    model: str
    settings: Settings
    context: dict[str, str]
    fingerprint: str
    created_at: datetime
    state: JobState
    due_at: datetime | None
    attempts: int
    attempted_at: datetime
    step: int = NOT_BEGUN
    output_location: str | None = None
    failure_location: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pictures: tuple[JobPicture, ...] = ()
    grid: JobGrid | None = None
    model_seconds: float | None = None
    failure: JobFailure | None = None
    holds: tuple[Count, ...] = ()
    loras: tuple[LoraWeights, ...] = ()

    @property
    def prefix(self) -> str:
        """Where the job's files lie in the pictures bucket; ends with a slash."""
        return job_prefix(self.owner.tenant, self.job_id)

    @property
    def order(self) -> str:
        """Sorts a tenant's jobs by age; unique."""
        return f"{int(self.created_at.timestamp() * 1000):014d}#{self.job_id}"

    @property
    def settled(self) -> bool:
        """Whether it is final, announced, and nothing is left to do."""
        return self.due_at is None


class JobChanges(TypedDict, total=False):
    """The fields of a record that may change after it was made. `due_at: None` settles it."""

    state: JobState
    due_at: datetime | None
    attempts: int
    attempted_at: datetime
    step: int
    output_location: str | None
    failure_location: str | None
    started_at: datetime
    finished_at: datetime
    pictures: tuple[JobPicture, ...]
    grid: JobGrid | None
    model_seconds: float
    failure: JobFailure
    holds: tuple[Count, ...]


def job_prefix(tenant: str, job_id: str) -> str:
    """Prefix of a job's files."""
    return f"tenants/{tenant}/jobs/{job_id}/"


def make_job_id(tenant: str, idempotency_key: str) -> str:
    """The same for the same tenant and key, so a repeated request finds its job. Fits SageMaker's `InferenceId`."""
    # A tenant never contains the separator, so no two pairs make the same text.
    digest = hashlib.sha256(f"{tenant}|{idempotency_key}".encode()).digest()
    return "job-" + base64.b32encode(digest).decode("ascii")[:26].lower()
