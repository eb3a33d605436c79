"""What the use cases need from the outside. The adapters are in `backend_lambda.aws`, joined in `wiring`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from backend_lambda.contract.access import BlockedWords, Entry
from backend_lambda.contract.endpoints import EndpointStatus
from backend_lambda.contract.events import JobEvent
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import JobPicture
from backend_lambda.contract.training_estimate import TrainingOffer
from backend_lambda.contract.training_events import TrainingEvent
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.lora_store import LoraFiles, LoraStore
from backend_lambda.usage import Count, Reservation, Usage
from endpoint.contract import ModelCard


class Overtaken(Exception):
    """A conditional update did not apply: `record` is what is there now; None where there is nothing."""

    def __init__(self, record: JobRecord | None) -> None:
        super().__init__("the record is not as expected" if record else "there is no such record")
        self.record = record


class OverLimit(Exception):
    """Something could not be reserved: `reached` are the reservations that do not fit, each with what is used now."""

    def __init__(self, reached: Sequence[tuple[Reservation, int]]) -> None:
        super().__init__("a limit is reached")
        self.reached = list(reached)


class StoreBusy(Exception):
    """Too many others write the same at the same time: nothing was changed, and later is worth a try."""


class ModerationUnavailable(Exception):
    """The moderation service could not be asked."""


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
    """Every job that there ever was, and the counters of what they use. Reads see every write that came before.

    Writes raise `StoreBusy`, and then have changed nothing.
    """

    def create(self, record: JobRecord, reservations: Sequence[Reservation] = ()) -> JobRecord | None:
        """Record a new job and, in the same step, count what it holds. Where one with its id exists, nothing changes
        and that one is returned. `reservations` are of the record's `holds`, one for each.

        Raises `OverLimit` where one of them does not fit; then nothing changes.
        """

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
        counts: Sequence[Count] = (),
    ) -> JobRecord:
        """Apply `changes` in one step if the job is in one of the states `when` and, where given, has had exactly
        `attempts` starts and has reported a step below `step_below`. In the same step, counters change by `counts`; a
        counter that is gone, or holds less than is to be taken from it, stays as it is. Returns the record after the
        change.

        Raises `Overtaken` where a condition does not hold.
        """

    def usage(self, counters: Collection[str]) -> Usage:
        """What these counters hold."""

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

    def publish(self, event: JobEvent | TrainingEvent) -> None:
        """Hand the event over. Raises `PublishFailed`."""


@dataclass(frozen=True)
class TrainingMachine:
    """What trains LoRAs for an endpoint's model. `warm_pool_seconds` > 0 keeps an instance for the next training; it is
    0 where `offer.spot`: SageMaker allows one of both.
    """

    offer: TrainingOffer
    image_uri: str
    warm_pool_seconds: int = 0


@dataclass(frozen=True)
class CatalogEntry:
    """An endpoint that people can name, the SageMaker endpoint behind it, and its model's card.

    `pace` is how long it has taken of late: seconds for one step of one picture of a million pixels. None before its
    first job. `training` is None where nothing can be trained on it.
    """

    name: str
    sagemaker_endpoint_name: str
    card: ModelCard
    pace: float | None = None
    training: TrainingMachine | None = None


class EndpointCatalog(Protocol):
    """The endpoints that there are. May lag half a minute behind."""

    def find(self, name: str) -> CatalogEntry | None:
        """The entry of that name, or None."""

    def entries(self) -> list[CatalogEntry]:
        """All of them, by name."""


class PaceBook(Protocol):
    """How fast the endpoints are, learnt from the jobs that they have done."""

    def note(self, endpoint: str, *, steps_of_megapixels: float, seconds: float) -> None:
        """A job took `seconds` for so many steps of a million pixels. Best effort: what can't be written is lost."""


class Access(Protocol):
    """What a tenant has set: `access_ports.TenantAccess` is one."""

    @property
    def entries(self) -> Sequence[Entry]:
        """All of its grants and denies, also those that have ended."""

    @property
    def words(self) -> BlockedWords:
        """Words and phrases that no prompt may have."""


class AccessReader(Protocol):
    """Who may do what, and how much: `access_ports.AccessStore`, as far as jobs need it."""

    def read(self, tenant: str) -> Access:
        """All of a tenant's."""


@dataclass(frozen=True)
class Verdict:
    """What a moderation says: `refused_for` is the word or label that it objects to; None where it does not."""

    refused_for: str | None = None


class Moderation(Protocol):
    """Looks at what is asked for, and at what has come of it."""

    def check_prompt(self, tenant: str, text: str) -> Verdict:
        """Whether a member of the tenant may ask for this. Raises `ModerationUnavailable`."""

    def check_pictures(self, pictures: Sequence[JobPicture]) -> Verdict:
        """Whether these may be shown to anyone. Raises `ModerationUnavailable`."""


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
    moderation: timedelta = timedelta(hours=1)
    """For so long after a job's time is up, the moderation is asked again before its pictures are given up."""
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
    moderation: Moderation
    paces: PaceBook


@dataclass(frozen=True)
class StartingPorts(Ports):
    """And to hand them to SageMaker."""

    starter: InferenceStarter


@dataclass(frozen=True)
class SubmittingPorts(StartingPorts):
    """And to take new ones."""

    catalog: EndpointCatalog
    access: AccessReader
    recent_access: AccessReader
    """May lag five seconds behind: nothing is refused by it alone."""
    loras: LoraStore
    pick_seed: Callable[[], int]


@dataclass(frozen=True)
class LoraPorts:
    """What it takes to keep LoRAs."""

    store: LoraStore
    files: LoraFiles
    catalog: EndpointCatalog
    access: AccessReader
    clock: Clock
    moderation: Moderation
