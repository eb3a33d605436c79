"""A LoRA as the backend keeps it: everything that there is under one name of a tenant.

A name and a version's number mean one file for ever: a name that has become free keeps the last number that it gave,
and whoever takes it goes on from there. So a job that is painted again gets the same file, or none.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import LoraScope
from backend_lambda.contract.trainings import TrainingKind, TrainingSettings

MAX_VERSIONS = 50
UPLOAD_LIFETIME = timedelta(days=1)
"""So long an import that was never checked keeps its name, and its file lies in the bucket."""


@dataclass(frozen=True)
class LoraVersion:
    """One file and its card. Keys are of the pictures bucket. `origin` is what it came of: a training's id, or that of
    an upload; no two versions share it. `request_id` is the upload's, empty for a training.
    """

    number: int
    origin: str
    request_id: str
    made_by: str
    """The member who did."""
    model: str
    rank: int
    bytes: int
    sha256: str
    key: str
    created_at: datetime
    trigger: str | None = None
    licence_note: str = ""
    kind: TrainingKind | None = None
    training_id: str | None = None
    settings: TrainingSettings | None = None
    final_loss: float | None = None
    dataset_sha256: str | None = None
    dataset_pictures: int | None = None
    samples_key: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """All of its objects."""
        return (self.key,) if self.samples_key is None else (self.key, self.samples_key)


@dataclass(frozen=True)
class LoraUploadRecord:
    """An import that waits for its file and its check. `number` is the version that it becomes. `request_id` is the
    same for the same member and idempotency key.
    """

    upload_id: str
    request_id: str
    fingerprint: str
    number: int
    model: str
    bytes: int
    trigger: str | None
    licence_note: str
    asked_at: datetime


@dataclass(frozen=True)
class LoraRecord:
    """A name of a tenant, and the LoRA that has it. `revision` counts the writes, 0: never written. Without an owner
    it is nobody's. `versions` are in their order, the newest last; a LoRA with none is not listed yet.
    """

    tenant: str
    name: str
    revision: int = 0
    last_number: int = 0
    owner: str = ""
    scope: LoraScope = LoraScope.MEMBER
    channel: str | None = None
    is_retired: bool = False
    versions: tuple[LoraVersion, ...] = ()
    upload: LoraUploadRecord | None = None

    @property
    def newest(self) -> LoraVersion:
        """Of a LoRA that is listed."""
        return self.versions[-1]

    @property
    def is_listed(self) -> bool:
        """Whether there is anything to paint with."""
        return bool(self.versions)

    def version(self, number: int | None) -> LoraVersion | None:
        """That one, or the newest for None."""
        if number is None:
            return self.versions[-1] if self.versions else None
        return next((version for version in self.versions if version.number == number), None)

    def is_held(self, now: datetime) -> bool:
        """Whether somebody has the name: by a version, or by an upload that is not given up yet."""
        return self.is_listed or (self.upload is not None and now < self.upload.asked_at + UPLOAD_LIFETIME)

    def freed(self) -> LoraRecord:
        """The name without its LoRA."""
        return LoraRecord(self.tenant, self.name, self.revision, self.last_number)

    def with_version(self, version: LoraVersion) -> LoraRecord:
        """With one more, which has the largest number or fills the place that was kept for it. It is offered again."""
        versions = sorted((*self.versions, version), key=lambda one: one.number)
        return replace(
            self, versions=tuple(versions), last_number=max(self.last_number, version.number), is_retired=False
        )

    def moved_to(self, place: LoraRecord) -> LoraRecord:
        """The LoRA under the name `place`, which is nobody's. Numbers that this name has given already are not given
        again: where need be, all go up by the same.
        """
        numbers = [version.number for version in self.versions] + ([self.upload.number] if self.upload else [])
        up = max(0, place.last_number + 1 - min(numbers, default=place.last_number + 1))
        return replace(
            self,
            name=place.name,
            revision=place.revision,
            last_number=max(self.last_number + up, place.last_number),
            versions=tuple(replace(version, number=version.number + up) for version in self.versions),
            upload=replace(self.upload, number=self.upload.number + up) if self.upload else None,
        )


@dataclass(frozen=True)
class Registration:
    """That a training's LoRA is listed, and as which version: remembered for ever, whatever becomes of the LoRA."""

    tenant: str
    training_id: str
    number: int


@dataclass(frozen=True)
class DoomedFiles:
    """Objects that no record names any more and that are to be deleted."""

    tenant: str
    id: str
    keys: tuple[str, ...]


def file_key(tenant: str, origin: str) -> str:
    """Where the file of a version lies that came of `origin`: no two share it, and it never moves."""
    return f"tenants/{tenant}/loras/{origin}.safetensors"


def samples_key(tenant: str, origin: str) -> str:
    """Where its samples lie."""
    return f"tenants/{tenant}/loras/{origin}-samples.png"


def upload_key(tenant: str, upload_id: str) -> str:
    """Where an import is uploaded to. Not below `tenants/`: what lies here has not been looked at, no endpoint may
    read it, and all of it expires.
    """
    return f"uploads/tenants/{tenant}/loras/{upload_id}"


def make_request_id(owner: Owner, idempotency_key: str) -> str:
    """The same for the same member and key, so a repeated request finds its upload."""
    digest = hashlib.sha256(f"{owner.tenant}|{owner.member}|{idempotency_key}".encode()).digest()
    return base64.b32encode(digest).decode("ascii")[:26].lower()


def new_id(kind: str) -> str:
    """`<kind>-` and what nobody else gets."""
    return f"{kind}-{secrets.token_hex(13)}"
