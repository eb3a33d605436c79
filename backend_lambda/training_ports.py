"""What the use cases of trainings need from the outside. The adapters are in `backend_lambda.aws`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from backend_lambda.contract.access import AuditEntry
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import TrainingPolicy
from backend_lambda.lora_ports import LoraRegistry
from backend_lambda.ports import AccessReader, Clock, EndpointCatalog, EventBus, Moderation, TrainingMachine
from backend_lambda.training_record import TrainingRecord


class TrainingOvertaken(Exception):
    """Somebody else has written since: nothing was. `record` is what is there now; None where there is nothing."""

    def __init__(self, record: TrainingRecord | None) -> None:
        super().__init__("the training is not as it was read" if record else "there is no such training")
        self.record = record


class TooManyTrainings(Exception):
    """The tenant has as many open trainings as it may."""


class ReadTooLarge(Exception):
    """An object is larger than what was to be read of it at most."""


class JobRefusal(StrEnum):
    """Why SageMaker won't take a training job, however often it is asked."""

    QUOTA = "quota"
    """The account's quota of such instances is used up."""
    OTHER = "other"


class JobRefused(Exception):
    """SageMaker will not take this training job."""

    def __init__(self, why: JobRefusal, detail: str) -> None:
        super().__init__(detail)
        self.why = why


class JobPostponed(Exception):
    """SageMaker could not be asked just now: later is worth a try."""


@dataclass(frozen=True)
class TrainingPage:
    """Some trainings, newest first, without pictures. `after` continues behind the last one; None: no more."""

    records: list[TrainingRecord]
    after: str | None


class TrainingStore(Protocol):
    """Every training that there ever was, and each tenant's policy. Reads see every write that came before.

    Writes raise `StoreBusy`, and then have changed nothing.
    """

    def create(self, record: TrainingRecord, *, most_open: int) -> TrainingRecord | None:
        """Record a new training. Where one with its id exists, nothing changes and that one is returned. Raises
        `TooManyTrainings` where its tenant has `most_open` trainings in open states already.
        """

    def get(self, training_id: str) -> TrainingRecord | None:
        """The training, or None."""

    def save(self, record: TrainingRecord, audit: AuditEntry | None = None) -> TrainingRecord:
        """Replace the training if it is still at `record.version`; in the same step, write the audit record. Returns it
        with its new version. Raises `TrainingOvertaken`.
        """

    def page(
        self, tenant: str, *, limit: int, after: str | None, state: TrainingState | None, member: str | None
    ) -> TrainingPage:
        """A tenant's trainings, newest first, behind the position `after` (a record's `order`). May lag a second.

        Fewer than `limit` may come although more follow: `after` tells.
        """

    def due(self, now: datetime, limit: int) -> list[str]:
        """Ids of unsettled trainings whose time has come, the longest overdue first. May lag a second behind."""

    def policy(self, tenant: str) -> TrainingPolicy:
        """How the tenant trains; the defaults where it has never said."""

    def put_policy(self, tenant: str, policy: TrainingPolicy, audit: AuditEntry) -> None:
        """Replace it, and write the audit record in the same step."""


def check_prefix(prefix: str) -> None:
    """Raises `ValueError` where a prefix may be of more than one training's files."""
    if not re.match(r"(uploads/)?tenants/[^/]+/trainings/[^/]+/", prefix) or not prefix.endswith("/"):
        raise ValueError("a prefix of one training's files ends with a slash, and is not more than those")


@dataclass(frozen=True)
class Upload:
    """Where to PUT an object's bytes, with these headers."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


@dataclass(frozen=True)
class StoredObject:
    """An object's content and when it was written."""

    content: bytes
    written_at: datetime


@dataclass(frozen=True)
class Digest:
    """An object's SHA-256 in hexadecimal digits, and its length."""

    sha256: str
    bytes: int


class TrainingFiles(Protocol):
    """The pictures bucket, as far as trainings use it."""

    @property
    def bucket(self) -> str:
        """Its name."""

    def read(self, key: str, most_bytes: int) -> StoredObject | None:
        """An object, or None where there is none. Raises `ReadTooLarge`."""

    def digest(self, key: str) -> Digest | None:
        """Of an object of any size, or None where there is none."""

    def write(self, key: str, content: bytes, content_type: str) -> None:
        """Put an object."""

    def delete(self, *keys: str) -> None:
        """Delete these objects; those that aren't there are no matter."""

    def delete_below(self, prefix: str) -> None:
        """Delete all objects whose keys begin with `prefix`, one training's or a part of those (`check_prefix`)."""

    def link(self, key: str) -> str:
        """A presigned URL with which anyone may fetch the object for a short while."""

    def upload(self, key: str, size: int) -> Upload:
        """A presigned URL with which anyone may put exactly `size` bytes there, for a short while."""


class JobStatus(StrEnum):
    """How SageMaker says that a training job is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    TIMED_OUT = "timed_out"
    """It was stopped for having run too long."""
    NO_CAPACITY = "no_capacity"
    """It was stopped for having waited too long for an instance."""
    MISSING = "missing"
    """SageMaker knows no job of that name."""

    @property
    def is_over(self) -> bool:
        """Whether it writes nothing any more."""
        return self not in {JobStatus.STARTING, JobStatus.RUNNING, JobStatus.STOPPING}


@dataclass(frozen=True)
class JobCondition:
    """A training job as SageMaker describes it; `changed_at` is when it last changed (None: missing)."""

    status: JobStatus
    changed_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class TrainingJob:
    """What SageMaker is to run. Keys are prefixes in the pictures bucket that end with a slash."""

    training_id: str
    tenant: str
    member: str
    model: str
    machine: TrainingMachine
    dataset_prefix: str
    checkpoints_prefix: str
    output_prefix: str
    max_run_seconds: int


class TrainingJobs(Protocol):
    """SageMaker's training jobs, one for a training."""

    def start(self, job: TrainingJob) -> None:
        """Create it; one that this training has already is as good. Raises `JobRefused` or `JobPostponed`."""

    def condition(self, training_id: str) -> JobCondition:
        """How it is now. Raises `JobPostponed`."""

    def stop(self, training_id: str) -> None:
        """Have it stopped; one that is over or was never there is no matter. Raises `JobPostponed`."""

    def output_prefix(self, training_id: str, output_prefix: str) -> str:
        """Below which prefix of the pictures bucket its files lie when it has completed; ends with a slash."""

    def training_of(self, job_name: str) -> str | None:
        """The training that a job's name names; None for a job that is none of ours."""


@dataclass(frozen=True)
class TrainingTiming:
    """How long things may take before somebody looks after them."""

    draft: timedelta = timedelta(days=1)
    """So long a draft waits for what comes next; uploads are kept as long."""
    start: timedelta = timedelta(seconds=60)
    """After this, an approved training that SageMaker doesn't have is handed over again; longer each time."""
    starts: int = 8
    """How often it is handed over at most."""
    announcement: timedelta = timedelta(seconds=60)
    """After this, what was not announced is announced again."""
    silence: timedelta = timedelta(minutes=5)
    """After this without news of its job, SageMaker is asked."""
    unknown: timedelta = timedelta(minutes=10)
    """So long after its start a job may be unknown to SageMaker before it counts as lost."""
    listing: timedelta = timedelta(minutes=3)
    """After this, whoever was listing a LoRA is taken for dead, and it is listed again."""
    postponement: timedelta = timedelta(minutes=5)
    """A sweeper that failed over a training leaves it alone for this long."""


@dataclass(frozen=True)
class TrainingPorts:
    """What it takes to look after trainings. `wait` sleeps for so many seconds."""

    trainings: TrainingStore
    files: TrainingFiles
    jobs: TrainingJobs
    bus: EventBus
    clock: Clock
    catalog: EndpointCatalog
    moderation: Moderation
    access: AccessReader
    loras: LoraRegistry
    timing: TrainingTiming
    pick_seed: Callable[[], int]
    wait: Callable[[float], None]
