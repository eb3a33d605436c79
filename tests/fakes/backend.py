"""The backend's ports in memory. They behave like the adapters: the same contract tests run over both."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock

from backend_lambda.access_ports import AccessPorts
from backend_lambda.api.context import Backend
from backend_lambda.callers import Caller
from backend_lambda.contract.endpoints import EndpointStatus
from backend_lambda.contract.events import JobEvent
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import JobPicture, SubmitJob
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.moderation.word_list import WordListModeration
from backend_lambda.ports import (
    AccessReader,
    CatalogEntry,
    EndpointCondition,
    JobPage,
    LoraPorts,
    ModerationUnavailable,
    OverLimit,
    Overtaken,
    PublishFailed,
    StartedInvocation,
    StartPostponed,
    StartRefused,
    SubmittingPorts,
    Timing,
    Verdict,
)
from backend_lambda.role_register import RoleRegister
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.usage import Count, Measure, Reservation, Usage, used_of
from endpoint.contract import (
    CANCELLED_NAME,
    GRID_NAME,
    MANIFEST_NAME,
    PROGRESS_NAME,
    GenerateRequest,
    Grid,
    Manifest,
    ModelCard,
    Picture,
    Progress,
    Timings,
)
from tests.fakes.backend_access import FakeAccessStore, access_ports
from tests.fakes.loras import FakeLoraFiles, FakeLoraStore
from tests.fakes.webhooks import FakeWebhooks

BUCKET = "easel-pictures"
TIMING = Timing(queue=timedelta(hours=1), invocation=timedelta(minutes=15))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA = Caller("T0EASEL", "U0ADA", "arn:aws:sts::123456789012:assumed-role/easel-artist/T0EASEL.U0ADA")
BOB = Caller("T0EASEL", "U0BOB", "arn:aws:sts::123456789012:assumed-role/easel-artist/T0EASEL.U0BOB")
MALLORY = Caller("T0OTHER", "U0EVE", "arn:aws:sts::123456789012:assumed-role/easel-artist/T0OTHER.U0EVE")
TINY = ModelCard(
    name="tiny",
    title="Miniature",
    native_width=128,
    native_height=128,
    size_multiple=16,
    default_steps=20,
    default_guidance_scale=5.0,
    max_steps=50,
    max_pixels=256 * 256,
)


class FakeJobStore:
    """`JobStore` in memory; one lock makes every call atomic, as DynamoDB's conditional writes and transactions are.

    `meanwhile` runs once, before the next update: what somebody else does between a read and the write that follows.
    `counters` is what is used of the limits.
    """

    def __init__(self) -> None:
        self.records: dict[str, JobRecord] = {}
        self.counters: dict[str, dict[Measure, int]] = {}
        self.meanwhile: Callable[[], object] | None = None
        self._lock = Lock()

    def create(self, record: JobRecord, reservations: Sequence[Reservation] = ()) -> JobRecord | None:
        with self._lock:
            existing = self.records.get(record.job_id)
            if existing is not None:
                return existing
            found = [(each, used_of(self.counters, each.count.counter, each.count.measure)) for each in reservations]
            reached = [(each, used) for each, used in found if not each.fits(used)]
            if reached:
                raise OverLimit(reached)
            for each, used in found:
                self.counters.setdefault(each.count.counter, {})[each.count.measure] = used + each.count.amount
            self.records[record.job_id] = record
            return None

    def get(self, job_id: str) -> JobRecord | None:
        with self._lock:
            return self.records.get(job_id)

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
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        with self._lock:
            record = self.records.get(job_id)
            holds = (
                record is not None
                and record.state in when
                and (attempts is None or record.attempts == attempts)
                and (step_below is None or record.step < step_below)
            )
            if record is None or not holds:
                raise Overtaken(record)
            changed = replace(record, **changes)
            self.records[job_id] = changed
            self._count(counts)
            return changed

    def _count(self, counts: Sequence[Count]) -> None:
        for counter in {count.counter for count in counts}:
            amounts = {count.measure: count.amount for count in counts if count.counter == counter}
            held = self.counters.get(counter)
            if held is not None and all(held.get(measure, 0) + min(n, 0) >= 0 for measure, n in amounts.items()):
                held.update({measure: held.get(measure, 0) + amount for measure, amount in amounts.items()})

    def usage(self, counters: Collection[str]) -> Usage:
        with self._lock:
            return {counter: dict(self.counters[counter]) for counter in counters if counter in self.counters}

    def page(
        self, tenant: str, *, limit: int, after: str | None, state: JobState | None, member: str | None
    ) -> JobPage:
        with self._lock:
            found = sorted(
                (
                    record
                    for record in self.records.values()
                    if record.owner.tenant == tenant
                    and (after is None or record.order < after)
                    and state in (None, record.state)
                    and member in (None, record.owner.member)
                ),
                key=lambda record: record.order,
                reverse=True,
            )
        return JobPage(found[:limit], found[limit - 1].order if len(found) > limit else None)

    def due(self, now: datetime, limit: int) -> list[str]:
        with self._lock:
            found = sorted(
                (record.due_at, record.job_id)
                for record in self.records.values()
                if record.due_at is not None and record.due_at <= now
            )
        return [job_id for _, job_id in found[:limit]]


class FakePictureStore:
    """`PictureStore` in memory."""

    def __init__(self, bucket: str = BUCKET) -> None:
        self._bucket = bucket
        self.objects: dict[str, bytes] = {}
        self._lock = Lock()

    @property
    def bucket(self) -> str:
        return self._bucket

    def read(self, key: str) -> bytes | None:
        with self._lock:
            return self.objects.get(key)

    def read_location(self, location: str) -> bytes | None:
        prefix = f"s3://{self._bucket}/"
        return self.read(location.removeprefix(prefix)) if location.startswith(prefix) else None

    def write(self, key: str, content: bytes, content_type: str) -> None:
        with self._lock:
            self.objects[key] = content

    def delete_below(self, prefix: str, *, keep: str) -> None:
        if not prefix.endswith("/") or prefix.count("/") < 2:
            raise ValueError("a prefix of one job's files ends with a slash, and is not the whole bucket")
        with self._lock:
            for key in [key for key in self.objects if key.startswith(prefix) and key != keep]:
                del self.objects[key]

    def link(self, key: str) -> str:
        return f"https://{self._bucket}.example/{key}?signed"

    def below(self, prefix: str) -> set[str]:
        """Names of the objects there are below a prefix."""
        with self._lock:
            return {key.removeprefix(prefix) for key in self.objects if key.startswith(prefix)}


class FakeStarter:
    """`InferenceStarter` that knows which endpoints there are and keeps what it was given.

    `refusing` and `busy` endpoints answer as SageMaker does. `before` runs while a start is under way: what happens
    there happens before the caller hears of it.
    """

    def __init__(self) -> None:
        self.started: list[tuple[str, str, str]] = []
        self.refusing: set[str] = set()
        self.busy: set[str] = set()
        self.before: Callable[[], None] = lambda: None

    def start(self, sagemaker_endpoint_name: str, job_id: str, request_key: str) -> StartedInvocation:
        if sagemaker_endpoint_name in self.refusing:
            raise StartRefused("ValidationError")
        if sagemaker_endpoint_name in self.busy:
            raise StartPostponed("ThrottlingException")
        self.started.append((sagemaker_endpoint_name, job_id, request_key))
        self.before()
        return StartedInvocation(f"s3://{BUCKET}/async/out/{job_id}.out", f"s3://{BUCKET}/async/failures/{job_id}.out")


class FakeBus:
    """`EventBus` that keeps what was published. `failing`: so many of the next events are refused."""

    def __init__(self) -> None:
        self.events: list[JobEvent] = []
        self.failing = 0
        self._lock = Lock()

    def publish(self, event: JobEvent) -> None:
        with self._lock:
            if self.failing > 0:
                self.failing -= 1
                raise PublishFailed("InternalFailure")
            self.events.append(type(event).model_validate_json(event.model_dump_json()))

    def ids(self) -> list[str]:
        """The `event_id` of every event, in order."""
        return [event.event_id for event in self.events]

    def final_ids(self) -> set[str]:
        """The different facts about ends that were announced."""
        return {event_id for event_id in self.ids() if ":progressed:" not in event_id}


class FakeCatalog:
    """`EndpointCatalog` in memory."""

    def __init__(self, *entries: CatalogEntry) -> None:
        self._entries = {entry.name: entry for entry in entries}

    def add(self, entry: CatalogEntry) -> None:
        self._entries[entry.name] = entry

    def find(self, name: str) -> CatalogEntry | None:
        return self._entries.get(name)

    def entries(self) -> list[CatalogEntry]:
        return sorted(self._entries.values(), key=lambda entry: entry.name)


class FakePaceBook:
    """`PaceBook` in memory, beside the catalog whose entries it changes."""

    def __init__(self, catalog: FakeCatalog) -> None:
        self._catalog = catalog
        self._sums: dict[str, tuple[float, float]] = {}

    def note(self, endpoint: str, *, steps_of_megapixels: float, seconds: float) -> None:
        entry = self._catalog.find(endpoint)
        if entry is None:
            return
        work, time = self._sums.get(endpoint, (0.0, 0.0))
        self._sums[endpoint] = work, time = work + steps_of_megapixels, time + seconds
        self._catalog.add(replace(entry, pace=time / work))


class FakeModeration(WordListModeration):
    """`Moderation` by blocked words; pictures whose key has one of `refused` in it are refused, for that word.

    `unavailable`: so many of the next pictures can't be looked at. `looked_at` are the keys of the others.
    """

    def __init__(self, access: AccessReader, recent: AccessReader) -> None:
        super().__init__(access, recent)
        self.refused: set[str] = set()
        self.unavailable = 0
        self.looked_at: list[str] = []

    def check_pictures(self, pictures: Sequence[JobPicture]) -> Verdict:
        for picture in pictures:
            if self.unavailable > 0:
                self.unavailable -= 1
                raise ModerationUnavailable("ThrottlingException")
            self.looked_at.append(picture.key)
            for word in sorted(self.refused):
                if word in picture.key:
                    return Verdict(word)
        return Verdict()


class FakeMonitor:
    """`EndpointMonitor` that says what it was told."""

    def __init__(self) -> None:
        self.conditions: dict[str, EndpointCondition] = {}

    def condition(self, sagemaker_endpoint_name: str) -> EndpointCondition:
        return self.conditions.get(sagemaker_endpoint_name, EndpointCondition(EndpointStatus.MISSING, 0))


class FakeClock:
    """`Clock` that goes on when told."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def go_on(self, time: timedelta) -> None:
        self._now += time


@dataclass
class FakeBackend:
    """All fakes, joined as `wiring` joins the adapters, with what a test does from outside."""

    jobs: FakeJobStore = field(default_factory=FakeJobStore)
    pictures: FakePictureStore = field(default_factory=FakePictureStore)
    starter: FakeStarter = field(default_factory=FakeStarter)
    bus: FakeBus = field(default_factory=FakeBus)
    clock: FakeClock = field(default_factory=FakeClock)
    catalog: FakeCatalog = field(default_factory=lambda: FakeCatalog(CatalogEntry("tiny", "easel-tiny", TINY)))
    monitor: FakeMonitor = field(default_factory=FakeMonitor)
    access: FakeAccessStore = field(default_factory=FakeAccessStore)
    loras: FakeLoraStore = field(default_factory=FakeLoraStore)
    trainings: TrainingPorts | None = None
    timing: Timing = TIMING
    recent_access: AccessReader = field(init=False)
    moderation: FakeModeration = field(init=False)
    paces: FakePaceBook = field(init=False)

    def __post_init__(self) -> None:
        self.recent_access = self.access
        self.moderation = FakeModeration(self.access, self.recent_access)
        self.paces = FakePaceBook(self.catalog)
        self.webhooks = FakeWebhooks(self.clock)
        self.lora_files = FakeLoraFiles(self.pictures)

    @property
    def access_ports(self) -> AccessPorts:
        return access_ports(self.access, self.clock)

    @property
    def backend(self) -> Backend:
        """What the API's routes have at hand."""
        return Backend(
            ports=self.ports,
            monitor=self.monitor,
            mapped_roles=("easel-artist", "easel-trainer", "easel-operator", "easel-admin"),
            access=self.access_ports,
            standing=RoleRegister(self.access, self.clock).standing,
            region="us-east-1",
            webhooks=self.webhooks.registry,
            loras=self.lora_ports,
            trainings=self.trainings or self._no_trainings(),
        )

    def _no_trainings(self) -> TrainingPorts:
        # Those fakes are made of these.
        from tests.fakes.backend_trainings import FakeTrainings

        return FakeTrainings(self, is_offered=False).ports

    @property
    def lora_ports(self) -> LoraPorts:
        return LoraPorts(self.loras, self.lora_files, self.catalog, self.access, self.clock, self.moderation)

    @property
    def ports(self) -> SubmittingPorts:
        return SubmittingPorts(
            jobs=self.jobs,
            pictures=self.pictures,
            bus=self.bus,
            clock=self.clock,
            timing=self.timing,
            moderation=self.moderation,
            paces=self.paces,
            starter=self.starter,
            catalog=self.catalog,
            access=self.access,
            recent_access=self.recent_access,
            pick_seed=lambda: 7,
            loras=self.loras,
        )

    def paint(self, record: JobRecord) -> Manifest:
        """Do what the endpoint does for a job: its pictures, and the manifest at last."""
        manifest = manifest_of(record)
        for key in [picture.key for picture in manifest.pictures] + ([manifest.grid.key] if manifest.grid else []):
            self.pictures.write(key, b"png", "image/png")
        self.pictures.write(record.prefix + MANIFEST_NAME, manifest.model_dump_json().encode(), "application/json")
        return manifest

    def report(self, record: JobRecord, step: int) -> str:
        """Do what the endpoint does while it paints. Returns the progress file's key."""
        progress = Progress(job_id=record.job_id, step=step, steps=record.settings.steps * len(record.settings.seeds))
        self.pictures.write(record.prefix + PROGRESS_NAME, progress.model_dump_json().encode(), "application/json")
        return record.prefix + PROGRESS_NAME

    def cancelled_marker(self, record: JobRecord) -> bool:
        """Whether the endpoint is told to stop."""
        return CANCELLED_NAME in self.pictures.below(record.prefix)

    def request_of(self, record: JobRecord) -> GenerateRequest:
        """What SageMaker was given."""
        return GenerateRequest.model_validate_json(self.pictures.objects[record.prefix + "request.json"])


def manifest_of(record: JobRecord) -> Manifest:
    """What the endpoint answers for a job that went well."""
    settings = record.settings
    return Manifest(
        job_id=record.job_id,
        model=record.model,
        pictures=[
            Picture(
                key=f"{record.prefix}{index}.png",
                seed=seed,
                width=settings.width,
                height=settings.height,
                bytes=3,
                sha256="0" * 64,
            )
            for index, seed in enumerate(settings.seeds)
        ],
        grid=Grid(key=record.prefix + GRID_NAME, width=2 * settings.width, height=settings.height, bytes=3)
        if len(settings.seeds) > 1
        else None,
        timings=Timings(
            waited_seconds=0, denoise_seconds=1.5, decode_seconds=0.2, store_seconds=0.1, total_seconds=1.8
        ),
    )


def ask(prompt: str = "a red circle", key: str = "k1", **more: object) -> SubmitJob:
    """A request as a client sends it."""
    return SubmitJob.model_validate_json(json.dumps({"prompt": prompt, "idempotency_key": key, **more}))
