"""The REST API's trainings: what a client sends and reads.

A client makes a draft, adds pictures (uploaded to presigned URLs, then checked) and submits it; someone approves.

    POST   /trainings                                     `CreateTraining` → `Training` (201)
    GET    /trainings[?state=&member=me&limit=&next=]     `TrainingList`, newest first
    GET    /trainings/{id}                                `Training`
    DELETE /trainings/{id}[?only=open]                    cancels what is open, deletes what is final → `Training`
    POST   /trainings/{id}/pictures                       `AddPicture` → `PictureUpload` (201)
    POST   /trainings/{id}/pictures/{picture}/check       → `DatasetPicture`, accepted or refused
    DELETE /trainings/{id}/pictures/{picture}             → `Training`
    POST   /trainings/{id}/submission                     `SubmitTraining` → `Training`
    POST   /trainings/{id}/approval                       `DecideTraining` → `Training`; refused to who submitted it
    POST   /trainings/{id}/self-approval                  `DecideTraining` → `Training`; for who submitted it
    GET    /training-policy                               `TrainingPolicy`
    PUT    /training-policy                               `TrainingPolicy` → `TrainingPolicy`

Who may call which route is IAM's decision; self-approval is a route of its own so that a policy can speak about it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.limits import MAX_IDEMPOTENCY_KEY_CHARS, MAX_PROMPT_CHARS, MAX_SEED
from backend_lambda.contract.training_limits import (
    MAX_LEARNING_RATE,
    MAX_LORA_NAME_CHARS,
    MAX_PICTURE_BYTES,
    MAX_RANK,
    MAX_RESOLUTION,
    MAX_TRAINING_STEPS,
    MAX_TRIGGER_CHARS,
    MIN_LEARNING_RATE,
    MIN_RANK,
    MIN_RESOLUTION,
    MIN_TRAINING_STEPS,
)
from backend_lambda.contract.training_state import TrainingState

LoraName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=MAX_LORA_NAME_CHARS)]
Trigger = Annotated[str, Field(pattern=r"^[^\s<>@#:|`*_~]+$", max_length=MAX_TRIGGER_CHARS)]


class Model(BaseModel):
    """Unknown fields are refused; values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainingKind(StrEnum):
    """What the pictures show: one thing again and again, or a way of drawing."""

    SUBJECT = "subject"
    STYLE = "style"


class TrainingPreset(StrEnum):
    """How much work is put into it."""

    DRAFT = "draft"
    STANDARD = "standard"
    FINE = "fine"


class TrainingOptions(Model):
    """What overrides the preset. What is left out is the preset's business. Pixels, steps."""

    model_config = ConfigDict(strict=True)

    rank: int | None = Field(default=None, ge=MIN_RANK, le=MAX_RANK)
    steps: int | None = Field(default=None, ge=MIN_TRAINING_STEPS, le=MAX_TRAINING_STEPS)
    learning_rate: float | None = Field(default=None, ge=MIN_LEARNING_RATE, le=MAX_LEARNING_RATE, allow_inf_nan=False)
    resolution: int | None = Field(default=None, ge=MIN_RESOLUTION, le=MAX_RESOLUTION)
    prior_preservation: bool | None = None
    text_encoder: bool | None = None
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)


class CreateTraining(Model):
    """Body of `POST /trainings`. `endpoint` names the endpoint whose model is trained on.

    `what` is the class of a subject ("mug") or the words for a style; it stands in captions behind the trigger word.
    """

    name: LoraName
    trigger: Trigger
    kind: TrainingKind
    what: str = Field(default="", max_length=60)
    endpoint: str = Field(min_length=1, max_length=63)
    preset: TrainingPreset = TrainingPreset.STANDARD
    options: TrainingOptions = TrainingOptions()
    licence_note: str = Field(default="", max_length=200)
    idempotency_key: str = Field(min_length=1, max_length=MAX_IDEMPOTENCY_KEY_CHARS, pattern=r"^[A-Za-z0-9._:/+=@-]+$")
    context: dict[str, str] = Field(default_factory=dict)


class AddPicture(Model):
    """Body of `POST /trainings/{id}/pictures`. `key` is the client's own name for the picture: the same key is the
    same picture, however often it is added. Without a caption the default is made of trigger and `what`.
    """

    key: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    filename: str = Field(min_length=1, max_length=200)
    bytes: int = Field(ge=1, le=MAX_PICTURE_BYTES)
    caption: str = Field(default="", max_length=MAX_PROMPT_CHARS)


class PictureUpload(Model):
    """Where to PUT the picture's bytes, once, with these headers."""

    picture_id: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class PictureState(StrEnum):
    """What became of a picture."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class PictureFault(StrEnum):
    """Why a picture was refused."""

    NOT_UPLOADED = "not_uploaded"
    NOT_A_PICTURE = "not_a_picture"
    TRUNCATED = "truncated"
    ANIMATED = "animated"
    TOO_LARGE = "too_large"
    TOO_SMALL = "too_small"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_NARROW = "too_narrow"
    DUPLICATE = "duplicate"
    """It shows the same as `same_as`."""


class DatasetPicture(Model):
    """A picture of a training. Sizes in pixels, of the picture as it is kept. `url` is presigned."""

    picture_id: str
    key: str
    filename: str
    caption: str
    state: PictureState
    fault: PictureFault | None = None
    same_as: str | None = None
    """The filename of the other one."""
    message: str | None = None
    """The fault as a sentence, fit for people."""
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    url: str | None = None


class SubmitTraining(Model):
    """Body of `POST /trainings/{id}/submission`. What was only known later may still be said; the rest stays."""

    captions: dict[str, str] = Field(default_factory=dict)
    """By picture id."""


class DecideTraining(Model):
    """Body of an approval. A denial has a reason."""

    approve: bool
    reason: str = Field(default="", max_length=300)

    @field_validator("reason")
    @classmethod
    def _trimmed(cls, reason: str) -> str:
        return reason.strip()


class TrainingSettings(Model):
    """Everything that decides what a training makes, with every default filled in. Pixels, steps."""

    rank: int
    steps: int
    batch_size: int
    learning_rate: float
    resolution: int
    prior_preservation: bool
    text_encoder: bool
    seed: int


class Estimate(Model):
    """What a training is going to take of one instance, its start included. `dollars` None: no price is known."""

    seconds: int
    dollars: float | None
    instance_type: str
    spot: bool


class Decision(Model):
    """Who said yes or no, and why."""

    approved: bool
    by: Owner
    reason: str
    at: datetime


class StoredPicture(Model):
    """A PNG in S3. `url` is a presigned link, present in API answers and absent in events."""

    bucket: str
    key: str
    url: str | None = None


class TrainingReport(Model):
    """How far a running training is: what `endpoint.training_contract.TrainingProgress` says."""

    phase: str
    step: int
    steps: int
    loss: float | None = None
    seconds_left: float | None = None
    loss_plot: StoredPicture | None = None
    samples: StoredPicture | None = None


class TrainingFailureCode(StrEnum):
    """Why a training failed."""

    START_FAILED = "start_failed"
    NO_CAPACITY = "no_capacity"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    TRAINING_FAILED = "training_failed"
    LOST = "lost"


class TrainingFailure(Model):
    """What a person needs to know; `reference` is in the logs."""

    code: TrainingFailureCode
    message: str
    reference: str


class Training(Model):
    """A training as the API answers it. Times are UTC."""

    training_id: str
    state: TrainingState
    name: str
    trigger: str
    kind: TrainingKind
    what: str
    endpoint: str
    model: str
    preset: TrainingPreset
    settings: TrainingSettings
    owner: Owner
    licence_note: str
    context: dict[str, str]
    pictures: list[DatasetPicture]
    contact_sheet: StoredPicture | None = None
    estimate: Estimate
    created_at: datetime
    submitted_at: datetime | None = None
    expires_at: datetime | None = None
    """When an open request for approval, or a draft, is given up."""
    decision: Decision | None = None
    is_only_approver: bool = False
    """Nobody but who submitted it may approve it."""
    report: TrainingReport | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    lora_version: int | None = None
    """The version of the LoRA `name` that came of it."""
    final_loss: float | None = None
    failure: TrainingFailure | None = None
    dataset_deleted: bool = False


class TrainingList(Model):
    """A page of the caller's trainings, newest first, without pictures."""

    trainings: list[Training]
    next: str | None = None


class TrainingPolicy(Model):
    """How a tenant trains. `approvals_place` is handed back, unread, in `TrainingRequested`: a channel.

    `keep_dataset_days` 0 deletes the pictures when the training has ended.
    """

    approvals_place: str = Field(default="", max_length=200)
    approval_days: int = Field(default=7, ge=1, le=30)
    keep_dataset_days: int = Field(default=0, ge=0, le=365)
