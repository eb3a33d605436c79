"""The REST API's LoRAs: the registry of what was trained or imported.

    GET    /loras[?next=]                 `LoraList`: those that the caller may use, by name, newest version of each
    GET    /loras/{name}                  `LoraVersions`, newest first
    PATCH  /loras/{name}                  `ChangeLora` → `Lora`: rename, share, retire, note
    DELETE /loras/{name}[?version=]       all versions, or one; jobs that are already running finish
    POST   /loras                         `ImportLora` → `LoraUpload` (201)
    POST   /loras/{name}/check            → `Lora`: the uploaded file is read, checked and listed

A LoRA belongs to its tenant, and there to everybody, to a channel's or to one member's. A name is one LoRA within a
tenant; training or importing the same name again makes its next version, where its owner does it. What was trained is
everybody's at first, for somebody has approved it; what was imported is its importer's alone until it is shared.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.limits import MAX_IDEMPOTENCY_KEY_CHARS
from backend_lambda.contract.training_limits import MAX_LORA_BYTES
from backend_lambda.contract.trainings import (
    LoraName,
    Model,
    StoredPicture,
    TrainingKind,
    TrainingSettings,
    Trigger,
)


class LoraScope(StrEnum):
    """Who may use it."""

    MEMBER = "member"
    CHANNEL = "channel"
    WORKSPACE = "workspace"


class Lora(Model):
    """One version of a LoRA: its card. `model` is the base model's name, the only one that it fits.

    `trigger` is the word that calls it (None: unknown, imported). `channel` is set where the scope is a channel.
    """

    name: str
    version: int = Field(ge=1)
    model: str
    trigger: str | None = None
    kind: TrainingKind | None = None
    scope: LoraScope
    channel: str | None = None
    is_retired: bool = False
    """It is no longer offered, and still paints where it is named."""
    owner: Owner
    """Who made it."""
    training_id: str | None = None
    """None: imported."""
    settings: TrainingSettings | None = None
    rank: int
    bytes: int
    sha256: str
    licence_note: str = ""
    final_loss: float | None = None
    dataset_sha256: str | None = None
    dataset_pictures: int | None = None
    samples: StoredPicture | None = None
    created_at: datetime


class LoraList(Model):
    """A page of LoRAs, by name."""

    loras: list[Lora]
    next: str | None = None


class LoraVersions(Model):
    """All versions of one LoRA, newest first."""

    versions: list[Lora]


class ChangeLora(Model):
    """Body of `PATCH /loras/{name}`: only what is given changes, in all its versions."""

    name: LoraName | None = None
    scope: LoraScope | None = None
    channel: str | None = Field(default=None, max_length=31, pattern=r"^[A-Za-z0-9]+$")
    """Goes with `scope: channel`; without it, the caller's own channel."""
    is_retired: bool | None = None
    licence_note: str | None = Field(default=None, max_length=200)


class ImportLora(Model):
    """Body of `POST /loras`: a safetensors file in diffusers' or kohya's naming, for this endpoint's model."""

    name: LoraName
    endpoint: str = Field(min_length=1, max_length=63)
    bytes: int = Field(ge=1, le=MAX_LORA_BYTES)
    trigger: Trigger | None = None
    licence_note: str = Field(default="", max_length=200)
    idempotency_key: str = Field(min_length=1, max_length=MAX_IDEMPOTENCY_KEY_CHARS, pattern=r"^[A-Za-z0-9._:/+=@-]+$")


class LoraUpload(Model):
    """Where to PUT the file's bytes, once, with these headers."""

    name: str
    version: int
    url: str
    headers: dict[str, str]
    expires_at: datetime
