"""The registry of LoRAs in memory. It behaves like the adapters: the same contract tests run over both."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import LoraScope
from backend_lambda.contract.trainings import TrainingKind, TrainingSettings
from backend_lambda.lora_ports import NewLora
from backend_lambda.lora_record import DoomedFiles, LoraRecord, LoraVersion, Registration, file_key
from backend_lambda.lora_store import FileChanged, LoraOvertaken, LoraPage, StoredFile, UploadLink

if TYPE_CHECKING:
    from tests.fakes.backend import FakePictureStore

_RECORD = TypeAdapter(LoraRecord)
SETTINGS = TrainingSettings(
    rank=8,
    steps=400,
    batch_size=1,
    learning_rate=1e-3,
    resolution=128,
    prior_preservation=False,
    text_encoder=False,
    seed=7,
)


class FakeLoraStore:
    """`LoraStore` in memory; one lock makes every call atomic.

    `meanwhile` runs once, before the next write: what somebody else does between a read and the write that follows.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], LoraRecord] = {}
        self.registrations: dict[tuple[str, str], Registration] = {}
        self.deletions: dict[tuple[str, str], DoomedFiles] = {}
        self.meanwhile: Callable[[], object] | None = None
        self._lock = Lock()

    def get(self, tenant: str, name: str) -> LoraRecord:
        with self._lock:
            return self.records.get((tenant, name), LoraRecord(tenant, name))

    def write(
        self, *records: LoraRecord, registration: Registration | None = None, doomed: DoomedFiles | None = None
    ) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        with self._lock:
            for record in records:
                stored = self.records.get((record.tenant, record.name), LoraRecord(record.tenant, record.name))
                if stored.revision != record.revision:
                    raise LoraOvertaken
            if registration is not None and (registration.tenant, registration.training_id) in self.registrations:
                raise LoraOvertaken
            for record in records:
                written = replace(record, revision=record.revision + 1)
                self.records[record.tenant, record.name] = _RECORD.validate_json(_RECORD.dump_json(written))
            if registration is not None:
                self.registrations[registration.tenant, registration.training_id] = registration
            if doomed is not None:
                self.deletions[doomed.tenant, doomed.id] = doomed

    def registered(self, tenant: str, training_id: str) -> Registration | None:
        return self.registrations.get((tenant, training_id))

    def page(self, tenant: str, *, limit: int, after: str | None) -> LoraPage:
        with self._lock:
            names = sorted(name for owner, name in self.records if owner == tenant and (after is None or name > after))
            found = [self.records[tenant, name] for name in names[:limit]]
        more = names[limit - 1] if len(names) > limit else None
        return LoraPage([record for record in found if record.is_listed], more)

    def doomed(self, tenant: str) -> list[DoomedFiles]:
        return [doomed for (owner, _), doomed in self.deletions.items() if owner == tenant]

    def forget(self, doomed: DoomedFiles) -> None:
        self.deletions.pop((doomed.tenant, doomed.id), None)


@dataclass
class FakeLoraFiles:
    """`LoraFiles` in the memory of a picture store. `before_copy` runs once, before the next copy; `failing` deletions
    fail.
    """

    pictures: FakePictureStore
    before_copy: Callable[[], object] | None = None
    failing: int = 0
    uploads: dict[str, int] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        return self.pictures.bucket

    def upload_link(self, key: str, bytes: int, now: datetime) -> UploadLink:
        self.uploads[key] = bytes
        headers = {"content-type": "application/octet-stream", "content-length": str(bytes)}
        return UploadLink(f"https://{self.bucket}.example/{key}?signed-put", headers, now + timedelta(minutes=15))

    def put(self, link: str, content: bytes) -> None:
        """Do what a client does with the link."""
        key = link.removeprefix(f"https://{self.bucket}.example/").removesuffix("?signed-put")
        assert key in self.uploads
        self.pictures.write(key, content, "application/octet-stream")

    def find(self, key: str) -> StoredFile | None:
        content = self.pictures.read(key)
        return None if content is None else StoredFile(len(content), _tag(content))

    def read(self, key: str, file: StoredFile, start: int, count: int) -> bytes:
        return self._unchanged(key, file)[start : start + max(count, 0)]

    def copy(self, source: str, file: StoredFile, target: str) -> str:
        before, self.before_copy = self.before_copy, None
        if before is not None:
            before()
        content = self._unchanged(source, file)
        self.pictures.write(target, content, "application/octet-stream")
        return hashlib.sha256(content).hexdigest()

    def delete(self, keys: Collection[str]) -> None:
        if self.failing > 0 and keys:
            self.failing -= 1
            raise RuntimeError("S3 is away")
        for key in keys:
            self.pictures.objects.pop(key, None)

    def link(self, key: str) -> str:
        return self.pictures.link(key)

    def _unchanged(self, key: str, file: StoredFile) -> bytes:
        content = self.pictures.read(key)
        if content is None or _tag(content) != file.tag:
            raise FileChanged
        return content


def _tag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def safetensors(tensors: dict[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> bytes:
    """A whole file with these tensors, all of ones in F32."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata is not None else {}
    data = b""
    for name, shape in tensors.items():
        count = 1
        for side in shape:
            count *= side
        content = struct.pack("<f", 1.0) * count
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


QUERY = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


def lora_file(rank: int = 4, salt: str = "") -> bytes:
    """A LoRA of one module, in diffusers' naming."""
    metadata = {"format": "pt", "salt": salt}
    return safetensors({f"{QUERY}.lora_A.weight": (rank, 32), f"{QUERY}.lora_B.weight": (32, rank)}, metadata)


def version_of(number: int = 1, origin: str = "trn-one", tenant: str = "T0EASEL", **more: object) -> LoraVersion:
    """A version that a training has made."""
    made = LoraVersion(
        number=number,
        origin=origin,
        request_id="",
        made_by="U0ADA",
        model="tiny",
        rank=8,
        bytes=4_000,
        sha256="5a" * 32,
        key=file_key(tenant, origin),
        created_at=datetime.fromisoformat("2026-11-23T12:00:00+00:00"),
        trigger="zblx",
        licence_note="ours",
        kind=TrainingKind.SUBJECT,
        training_id=origin,
        settings=SETTINGS,
        final_loss=0.03,
        dataset_sha256="d5" * 32,
        dataset_pictures=8,
        samples_key=f"tenants/{tenant}/loras/{origin}-samples.png",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def lora_of(
    name: str = "mascot", *versions: LoraVersion, tenant: str = "T0EASEL", owner: str = "U0ADA", **more: object
) -> LoraRecord:
    """A LoRA of the whole tenant."""
    listed = versions or (version_of(tenant=tenant, origin=f"trn-{name}"),)
    record = LoraRecord(
        tenant,
        name,
        last_number=max(version.number for version in listed),
        owner=owner,
        scope=LoraScope.WORKSPACE,
        versions=listed,
    )
    return replace(record, **more)  # type: ignore[arg-type]


def trained(
    files: FakePictureStore, name: str = "mascot", training_id: str = "trn-one", member: str = "U0ADA", **more: object
) -> NewLora:
    """What a training hands over; its files are in the bucket."""
    content = lora_file(8, training_id)
    prefix = f"tenants/T0EASEL/trainings/{training_id}/"
    files.write(f"{prefix}output/lora.safetensors", content, "application/octet-stream")
    files.write(f"{prefix}samples-400.png", b"png", "image/png")
    made = NewLora(
        training_id=training_id,
        owner=Owner(tenant="T0EASEL", member=member),
        name=name,
        model="tiny",
        trigger="zblx",
        kind=TrainingKind.SUBJECT,
        settings=SETTINGS,
        rank=8,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        licence_note="ours",
        final_loss=0.03,
        dataset_sha256="d5" * 32,
        dataset_pictures=8,
        file_key=f"{prefix}output/lora.safetensors",
        samples_key=f"{prefix}samples-400.png",
        channel="C1",
        created_at=datetime.fromisoformat("2026-11-23T12:00:00+00:00"),
    )
    return replace(made, **more)  # type: ignore[arg-type]
