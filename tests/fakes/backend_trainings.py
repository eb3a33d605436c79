"""The ports of trainings in memory. They behave like the adapters: the same contract tests run over both."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from types import MappingProxyType

from PIL import Image, ImageDraw

from backend_lambda.callers import Caller
from backend_lambda.contract.access import AuditEntry
from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.training_estimate import TrainingOffer
from backend_lambda.contract.training_events import TrainingEvent
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    AddPicture,
    CreateTraining,
    DatasetPicture,
    SubmitTraining,
    Training,
    TrainingKind,
    TrainingPolicy,
    TrainingPreset,
    TrainingSettings,
)
from backend_lambda.lora_ports import LoraNotRegistrable, NewLora
from backend_lambda.ports import CatalogEntry, Clock, TrainingMachine
from backend_lambda.training_ports import (
    Digest,
    JobCondition,
    JobPostponed,
    JobRefusal,
    JobRefused,
    JobStatus,
    ReadTooLarge,
    StoredObject,
    TooManyTrainings,
    TrainingJob,
    TrainingOvertaken,
    TrainingPage,
    TrainingPorts,
    TrainingTiming,
    Upload,
    check_prefix,
)
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.add_picture import add_picture
from backend_lambda.usecases.check_picture import check_picture
from backend_lambda.usecases.create_training import create_training
from backend_lambda.usecases.refusals import LoraNameTaken
from backend_lambda.usecases.submit_training import submit_training
from endpoint.training_contract import (
    LORA_NAME,
    MANIFEST_NAME,
    PROGRESS_NAME,
    TrainingManifest,
    TrainingPhase,
    TrainingProgress,
)
from tests.fakes.backend import ADA, BUCKET, TINY, FakeBackend
from tests.fakes.backend_access import FakeAccessStore

STACK = "easel"
SETTINGS = TrainingSettings(
    rank=8,
    steps=200,
    batch_size=1,
    learning_rate=1e-3,
    resolution=128,
    prior_preservation=False,
    text_encoder=False,
    seed=0,
)
MACHINE = TrainingMachine(
    TrainingOffer(
        instance_type="ml.g5.xlarge",
        price_per_hour=1.2,
        spot=True,
        start_seconds=120,
        seconds_per_step=0.5,
        presets={
            TrainingPreset.DRAFT: SETTINGS.model_copy(update={"steps": 100}),
            TrainingPreset.STANDARD: SETTINGS,
            TrainingPreset.FINE: SETTINGS.model_copy(update={"steps": 800, "prior_preservation": True}),
        },
    ),
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/easel:1",
)
GRACE = Caller("T0EASEL", "U0GRACE", "arn:aws:sts::123456789012:assumed-role/easel-admin/T0EASEL.U0GRACE")
MUG = CreateTraining(
    name="mascot", trigger="zblx", kind=TrainingKind.SUBJECT, what="mug", endpoint="tiny", idempotency_key="form-1"
)


class FakeTrainingStore:
    """`TrainingStore` in memory; one lock makes every call atomic, as DynamoDB's conditional writes are.

    `meanwhile` runs once, before the next write: what somebody else does between a read and the write that follows.
    """

    def __init__(self, access: FakeAccessStore) -> None:
        self.records: dict[str, TrainingRecord] = {}
        self.policies: dict[str, TrainingPolicy] = {}
        self.meanwhile: Callable[[], object] | None = None
        self._access = access
        self._lock = Lock()

    def create(self, record: TrainingRecord, *, most_open: int) -> TrainingRecord | None:
        with self._lock:
            existing = self.records.get(record.training_id)
            if existing is not None:
                return existing
            others = [
                one
                for one in self.records.values()
                if one.owner.tenant == record.owner.tenant and not one.state.is_final
            ]
            if len(others) >= most_open:
                raise TooManyTrainings
            self.records[record.training_id] = _as_stored(record)
            return None

    def get(self, training_id: str) -> TrainingRecord | None:
        with self._lock:
            return self.records.get(training_id)

    def save(self, record: TrainingRecord, audit: AuditEntry | None = None) -> TrainingRecord:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        with self._lock:
            current = self.records.get(record.training_id)
            if current is None or current.version != record.version:
                raise TrainingOvertaken(current)
            saved = _as_stored(record.model_copy(update={"version": record.version + 1}))
            self.records[record.training_id] = saved
            if audit is not None:
                self._access.records.setdefault(record.owner.tenant, []).append(audit)
            return saved

    def page(
        self, tenant: str, *, limit: int, after: str | None, state: TrainingState | None, member: str | None
    ) -> TrainingPage:
        with self._lock:
            found = sorted(
                (
                    record.model_copy(update={"pictures": ()})
                    for record in self.records.values()
                    if record.owner.tenant == tenant
                    and (after is None or record.order < after)
                    and state in (None, record.state)
                    and member in (None, record.owner.member)
                ),
                key=lambda record: record.order,
                reverse=True,
            )
        return TrainingPage(found[:limit], found[limit - 1].order if len(found) > limit else None)

    def due(self, now: datetime, limit: int) -> list[str]:
        with self._lock:
            found = sorted(
                (record.due_at, record.training_id)
                for record in self.records.values()
                if record.due_at is not None and record.due_at <= now
            )
        return [training_id for _, training_id in found[:limit]]

    def policy(self, tenant: str) -> TrainingPolicy:
        with self._lock:
            return self.policies.get(tenant, TrainingPolicy())

    def put_policy(self, tenant: str, policy: TrainingPolicy, audit: AuditEntry) -> None:
        with self._lock:
            self.policies[tenant] = policy
            self._access.records.setdefault(tenant, []).append(audit)


class FakeTrainingFiles:
    """`TrainingFiles` in memory; an object is as old as the clock says when it is written."""

    def __init__(self, clock: Clock, bucket: str = BUCKET) -> None:
        self._clock = clock
        self._bucket = bucket
        self.objects: dict[str, StoredObject] = {}
        self._lock = Lock()

    @property
    def bucket(self) -> str:
        return self._bucket

    def read(self, key: str, most_bytes: int) -> StoredObject | None:
        with self._lock:
            found = self.objects.get(key)
        if found is not None and len(found.content) > most_bytes:
            raise ReadTooLarge(key)
        return found

    def digest(self, key: str) -> Digest | None:
        with self._lock:
            found = self.objects.get(key)
        return Digest(hashlib.sha256(found.content).hexdigest(), len(found.content)) if found is not None else None

    def write(self, key: str, content: bytes, content_type: str) -> None:
        with self._lock:
            # S3 tells times by the second.
            self.objects[key] = StoredObject(content, self._clock.now().replace(microsecond=0))

    def delete(self, *keys: str) -> None:
        with self._lock:
            for key in keys:
                self.objects.pop(key, None)

    def delete_below(self, prefix: str) -> None:
        check_prefix(prefix)
        with self._lock:
            for key in [key for key in self.objects if key.startswith(prefix)]:
                del self.objects[key]

    def link(self, key: str) -> str:
        return f"https://{self._bucket}.example/{key}?signed"

    def upload(self, key: str, size: int) -> Upload:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        url = f"https://{self._bucket}.example/{key}?put"
        return Upload(url, headers, self._clock.now() + timedelta(minutes=15))

    def put(self, upload_url: str, content: bytes) -> None:
        """Do what a client does with an upload's URL."""
        self.write(upload_url.removeprefix(f"https://{self._bucket}.example/").removesuffix("?put"), content, "")

    def below(self, prefix: str) -> set[str]:
        """Names of the objects there are below a prefix."""
        with self._lock:
            return {key.removeprefix(prefix) for key in self.objects if key.startswith(prefix)}


class FakeTrainingJobs:
    """`TrainingJobs` with a SageMaker that does what it is told by a test.

    `refusing` and `busy` answer as SageMaker does. `before` runs while a start is under way.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.jobs: dict[str, TrainingJob] = {}
        self.conditions: dict[str, JobCondition] = {}
        self.stopped: list[str] = []
        self.foreign: set[str] = set()
        self.refusing: JobRefusal | None = None
        self.busy = 0
        self.before: Callable[[], object] = lambda: None

    def start(self, job: TrainingJob) -> None:
        if self.busy > 0:
            self.busy -= 1
            raise JobPostponed("ThrottlingException")
        if self.refusing is not None:
            raise JobRefused(self.refusing, "ResourceLimitExceeded")
        if job.training_id in self.foreign:
            raise JobRefused(JobRefusal.OTHER, "ResourceInUse")
        if job.training_id not in self.jobs:
            self.jobs[job.training_id] = job
            self.tell(job.training_id, JobStatus.STARTING)
        self.before()

    def condition(self, training_id: str) -> JobCondition:
        if self.busy > 0:
            self.busy -= 1
            raise JobPostponed("ThrottlingException")
        return self.conditions.get(training_id, JobCondition(JobStatus.MISSING))

    def stop(self, training_id: str) -> None:
        self.stopped.append(training_id)
        if training_id in self.conditions and not self.conditions[training_id].status.is_over:
            self.tell(training_id, JobStatus.STOPPING)

    def output_prefix(self, training_id: str, output_prefix: str) -> str:
        return f"{output_prefix}{STACK}-{training_id}/output/model/"

    def training_of(self, job_name: str) -> str | None:
        name = job_name.removeprefix(f"{STACK}-")
        return name if name != job_name and name.startswith("trn-") and len(name) == 30 else None

    def tell(self, training_id: str, status: JobStatus, reason: str = "") -> None:
        """From now on the job is so."""
        self.conditions[training_id] = JobCondition(status, self._clock.now(), reason)


class FakeLoraRegistry:
    """`LoraRegistry` in memory: versions by name, one for each training. `taken` names are somebody else's.

    `failing`: so many of the next calls die before anything is listed. It reads the file as the registry must: there.
    """

    def __init__(self, files: FakeTrainingFiles) -> None:
        self._files = files
        self.listed: list[NewLora] = []
        self.copies: dict[str, bytes] = {}
        self.taken: set[str] = set()
        self.failing = 0
        self.before: Callable[[], object] = lambda: None
        self._lock = Lock()

    def check_name(self, owner: Owner, name: str, now: datetime) -> None:
        if name in self.taken:
            raise LoraNameTaken("There is a LoRA of that name already.", field="name", given=name)

    def register(self, lora: NewLora) -> int:
        self.before()
        with self._lock:
            if self.failing > 0:
                self.failing -= 1
                raise RuntimeError("the table does not answer")
            versions = [one for one in self.listed if (one.owner.tenant, one.name) == (lora.owner.tenant, lora.name)]
            for number, one in enumerate(versions, 1):
                if one.training_id == lora.training_id:
                    return number
            if lora.name in self.taken:
                raise LoraNotRegistrable(
                    f"Somebody else's LoRA is called {lora.name} by now. Train it under another name."
                )
            found = self._files.read(lora.file_key, 2**30)
            assert found is not None, "the file is gone before it was copied"
            self.copies[lora.training_id] = found.content
            self.listed.append(lora)
            return len(versions) + 1


@dataclass
class FakeTrainings:
    """All fakes of trainings beside those of the backend, with what a test does from outside."""

    backend: FakeBackend = field(default_factory=FakeBackend)
    timing: TrainingTiming = field(default_factory=TrainingTiming)
    is_offered: bool = True
    """Whether the backend's endpoint can be trained on."""

    def __post_init__(self) -> None:
        self.clock = self.backend.clock
        self.bus = self.backend.bus
        self.store = FakeTrainingStore(self.backend.access)
        self.files = FakeTrainingFiles(self.clock)
        self.jobs = FakeTrainingJobs(self.clock)
        self.loras = FakeLoraRegistry(self.files)
        if self.is_offered:
            self.backend.catalog.add(CatalogEntry("tiny", "easel-tiny", TINY, training=MACHINE))
        self._keys = itertools.count()
        if self.backend.trainings is None:
            self.backend.trainings = self.ports

    @property
    def ports(self) -> TrainingPorts:
        return TrainingPorts(
            trainings=self.store,
            files=self.files,
            jobs=self.jobs,
            bus=self.bus,
            clock=self.clock,
            catalog=self.backend.catalog,
            moderation=self.backend.moderation,
            access=self.backend.access,
            loras=self.loras,
            timing=self.timing,
            pick_seed=lambda: 7,
            wait=lambda seconds: None,
        )

    def draft(self, caller: Caller = ADA, **more: object) -> Training:
        """A new draft."""
        key = f"form-{next(self._keys)}"
        return create_training(caller, MUG.model_copy(update={"idempotency_key": key} | more), self.ports)

    def send(
        self, training: Training, content: bytes, *, key: str = "", caption: str = "", caller: Caller = ADA
    ) -> DatasetPicture:
        """Add a picture, upload it, have it checked."""
        key = key or f"picture-{next(self._keys)}"
        asked = AddPicture(key=key, filename=f"{key}.png", bytes=max(len(content), 1), caption=caption)
        upload = add_picture(caller, training.training_id, asked, self.ports)
        self.files.put(upload.url, content)
        return check_picture(caller, training.training_id, upload.picture_id, self.ports)

    def submitted(self, caller: Caller = ADA, pictures: int = 3, **more: object) -> Training:
        """A training that waits for its approval."""
        training = self.draft(caller, **more)
        for index in range(pictures):
            self.send(training, png(index), caller=caller)
        return submit_training(caller, training.training_id, SubmitTraining(), self.ports)

    def record(self, training: Training) -> TrainingRecord:
        """As it is kept now."""
        return self.store.records[training.training_id]

    def report(self, training: Training, step: int) -> str:
        """Do what the container does while it trains. Returns the progress file's key."""
        return self.report_of(training.training_id, step)

    def report_of(self, training_id: str, step: int, *, phase: TrainingPhase = TrainingPhase.TRAINING) -> str:
        """As `report`."""
        record = self.store.records[training_id]
        progress = TrainingProgress(
            training_id=record.training_id,
            phase=phase,
            step=step,
            steps=record.settings.steps,
            loss=0.5,
            loss_key=f"{record.prefix}loss-{step}.png",
        )
        self.files.write(record.prefix + PROGRESS_NAME, progress.model_dump_json().encode(), "application/json")
        return record.prefix + PROGRESS_NAME

    def train(self, training: Training, **changes: object) -> None:
        """Do what SageMaker and the container do when a training goes well; but for `changes` of the manifest."""
        self.train_of(training.training_id, changes)

    def train_of(self, training_id: str, changes: Mapping[str, object] = MappingProxyType({})) -> None:
        """As `train`."""
        content = b"weights"
        record = self.store.records[training_id]
        prefix = self.jobs.output_prefix(record.training_id, f"{record.prefix}output/")
        self.files.write(f"{record.prefix}samples-200.png", b"png", "image/png")
        self.files.write(prefix + LORA_NAME, content, "")
        manifest = manifest_of(record, content).model_copy(update=dict(changes))
        self.files.write(prefix + MANIFEST_NAME, manifest.model_dump_json().encode(), "application/json")
        self.jobs.tell(record.training_id, JobStatus.COMPLETED)

    def events(self) -> list[TrainingEvent]:
        """What was announced of trainings, each fact once, in the order of its first announcement."""
        found = {event.event_id: event for event in reversed(self.bus.events) if isinstance(event, TrainingEvent)}
        return sorted(found.values(), key=lambda event: (event.training.training_id, event.sequence))

    def names(self) -> list[str]:
        """Names of those events."""
        return [type(event).__name__ for event in self.events()]


def manifest_of(record: TrainingRecord, content: bytes) -> TrainingManifest:
    """What the container leaves for a training that went well."""
    return TrainingManifest(
        training_id=record.training_id,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        rank=record.settings.rank,
        steps=record.settings.steps,
        first_loss=0.9,
        final_loss=0.1,
        seconds=100,
        interruptions=0,
        dataset_sha256="d" * 64,
        loss_key=f"{record.prefix}loss-200.png",
        samples_key=f"{record.prefix}samples-200.png",
    )


def picture(index: int = 0, size: tuple[int, int] = (128, 128), mode: str = "RGB") -> Image.Image:
    """A drawing: every index has another one."""
    made = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(made)
    width, height = size
    left, top = (index * 37) % (width // 2), (index * 53) % (height // 2)
    colour = ((index * 91) % 256, (index * 57 + 80) % 256, (index * 33 + 160) % 256)
    draw.ellipse((left, top, left + width // 2 - 1, top + height // 2 - 1), fill=colour)
    return made.convert(mode)


def encoded(made: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    made.save(buffer, kind, **options)
    return buffer.getvalue()


def png(index: int = 0) -> bytes:
    """A small good picture."""
    return encoded(picture(index))


def _as_stored(record: TrainingRecord) -> TrainingRecord:
    return TrainingRecord.model_validate_json(record.model_dump_json())
