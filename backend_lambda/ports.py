"""What the use cases need from the outside. The adapters are in `backend_lambda.aws`, joined in `wiring`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from backend_lambda.contract.endpoints import EndpointStatus
from backend_lambda.contract.events import JobEvent
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobChanges, JobRecord
from endpoint.contract import ModelCard


class Overtaken(Exception):
    """A conditional update did not apply: `record` is what is there now; None where there is nothing."""

    def __init__(self, record: JobRecord | None) -> None:
        super().__init__("the record is not as expected" if record else "there is no such record")
        self.record = record


class StartRefused(Exception):
    """The endpoint will not take this job, however often it is asked."""


class StartPostponed(Exception):
    """The endpoint could not be asked just now: later is worth a try."""


class PublishFailed(Exception):
    """The bus did not take the event."""


@dataclass(frozen=True)
class JobPage:
    """Some jobs, newest first. `after` continues behind the last one; None where there are no more."""

    records: list[JobRecord]
    after: str | None


class JobStore(Protocol):
    """Every job that there ever was. Reads see every write that came before."""

    def create(self, record: JobRecord) -> JobRecord | None:
        """Record a new job. Where one with its id exists, nothing changes and that one is returned."""

    def get(self, job_id: str) -> JobRecord | None:
        """The job, or None."""

    def update(
        self,
        job_id: str,
        changes: JobChanges,
        *,
        when: Collection[JobState],
        attempts: int | None = None,
        step_below: int | None = None,
    ) -> JobRecord:
        """Apply `changes` in one step if the job is in one of the states `when` and, where given, has had exactly
        `attempts` starts and has reported a step below `step_below`. Returns the record after the change.

        Raises `Overtaken` where a condition does not hold.
        """

    def page(
        self, tenant: str, *, limit: int, after: str | None, state: JobState | None, member: str | None
    ) -> JobPage:
        """A tenant's jobs, newest first, behind the position `after` (a record's `order`). May lag a second behind.

        Fewer than `limit` may come although more follow: `after` tells.
        """

    def due(self, now: datetime, limit: int) -> list[str]:
        """Ids of unsettled jobs whose time has come, the longest overdue first. May lag a second behind."""


@dataclass(frozen=True)
class StartedInvocation:
    """SageMaker took the job; where it will put its answer or the failure, as S3 URIs."""

    output_location: str | None
    failure_location: str | None


class InferenceStarter(Protocol):
    """Asynchronous inference."""

    def start(self, sagemaker_endpoint_name: str, job_id: str, request_key: str) -> StartedInvocation:
        """Hand over the request that lies under `request_key` in the pictures bucket.

        Raises `StartRefused` (for good) or `StartPostponed` (try later). Twice with the same job runs it twice.
        """


class PictureStore(Protocol):
    """The pictures bucket: a job's files, by key."""

    @property
    def bucket(self) -> str:
        """Its name."""

    def read(self, key: str) -> bytes | None:
        """An object's content, or None where there is none."""

    def read_location(self, location: str) -> bytes | None:
        """Content of an `s3://bucket/key` that SageMaker named; None where it is not there or not ours to read."""

    def write(self, key: str, content: bytes, content_type: str) -> None:
        """Put an object."""

    def delete_below(self, prefix: str, *, keep: str) -> None:
        """Delete all objects whose keys begin with `prefix` (which ends with a slash), but for the key `keep`."""

    def link(self, key: str) -> str:
        """A presigned URL with which anyone may fetch the object for a short while."""


class EventBus(Protocol):
    """Where the backend announces what happened."""

    def publish(self, event: JobEvent) -> None:
        """Hand the event over. Raises `PublishFailed`."""


@dataclass(frozen=True)
class CatalogEntry:
    """An endpoint that people can name, the SageMaker endpoint behind it, and its model's card."""

    name: str
    sagemaker_endpoint_name: str
    card: ModelCard


class EndpointCatalog(Protocol):
    """The endpoints that there are. May lag half a minute behind."""

    def find(self, name: str) -> CatalogEntry | None:
        """The entry of that name, or None."""

    def entries(self) -> list[CatalogEntry]:
        """All of them, by name."""


@dataclass(frozen=True)
class EndpointCondition:
    """How a SageMaker endpoint is; `instances` are running now (0 is fine: it wakes when work comes)."""

    status: EndpointStatus
    instances: int


class EndpointMonitor(Protocol):
    """SageMaker's view of its endpoints. May lag half a minute behind."""

    def condition(self, sagemaker_endpoint_name: str) -> EndpointCondition:
        """How it is now; `MISSING` where SageMaker does not know it."""


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """Now, in UTC."""


@dataclass(frozen=True)
class Timing:
    """How long things may take before somebody looks after them."""

    queue: timedelta
    """A job may wait this long in SageMaker's queue."""
    invocation: timedelta
    """The model may take this long over a job."""
    start: timedelta = timedelta(seconds=60)
    """After this, a job that was recorded and not handed over is handed over again."""
    retry: timedelta = timedelta(seconds=5)
    """After this, a repeated request may hand it over again."""
    announcement: timedelta = timedelta(seconds=60)
    """After this, a final job that was not announced is announced again."""
    grace: timedelta = timedelta(seconds=120)
    """How much later than it must the completion may come."""
    postponement: timedelta = timedelta(seconds=300)
    """A sweeper that failed over a job leaves it alone for this long."""
    starts: int = 5
    """How often a job is handed over at most."""


@dataclass(frozen=True)
class Ports:
    """What it takes to look after jobs that there are."""

    jobs: JobStore
    pictures: PictureStore
    bus: EventBus
    clock: Clock
    timing: Timing


@dataclass(frozen=True)
class StartingPorts(Ports):
    """And to hand them to SageMaker."""

    starter: InferenceStarter


@dataclass(frozen=True)
class SubmittingPorts(StartingPorts):
    """And to take new ones."""

    catalog: EndpointCatalog
    pick_seed: Callable[[], int]
