"""What the backend announces on its EventBridge bus.

An entry has `source` SOURCE, the class name as `detail-type` and the event's JSON as `detail`.

Events are delivered at least once and in any order. `event_id` is the same for every delivery of the same fact.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from backend_lambda.contract.errors import JobFailure
from backend_lambda.contract.jobs import JobGrid, JobPicture, Owner, Settings

SOURCE = "easel.backend"


class JobEvent(BaseModel):
    """What every job event says: which job, whose, with which settings, and the caller's own context."""

    # A later backend may say more: readers ignore what they do not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = 1
    event_id: str
    job_id: str
    endpoint: str
    model: str
    owner: Owner
    settings: Settings
    context: dict[str, str]
    created_at: datetime
    at: datetime


class JobProgressed(JobEvent):
    """The endpoint works on it: `step` of `steps`; step 0 says that it has begun."""

    step: int = Field(ge=0)
    steps: int = Field(ge=1)


class JobSucceeded(JobEvent):
    """Its pictures are in S3."""

    pictures: list[JobPicture]
    grid: JobGrid | None = None
    model_seconds: float


class JobFailed(JobEvent):
    """It ended without pictures."""

    failure: JobFailure


class JobCancelled(JobEvent):
    """Someone who may do so cancelled it."""


EVENT_TYPES: dict[str, type[JobEvent]] = {
    event.__name__: event for event in (JobProgressed, JobSucceeded, JobFailed, JobCancelled)
}
