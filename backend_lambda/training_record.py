"""A training as the backend keeps it: what clients see (`contract.trainings.Training`), and what it takes to end it."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    Decision,
    Estimate,
    PictureFault,
    PictureState,
    StoredPicture,
    TrainingFailure,
    TrainingKind,
    TrainingPreset,
    TrainingReport,
    TrainingSettings,
)

DATASET, THUMBNAILS, OUTPUT, CHECKPOINTS = "dataset/", "thumbnails/", "output/", "checkpoints/"
CONTACT_SHEET = "contact-sheet.png"


class _Kept(BaseModel):
    # A later version may say more: what an older function doesn't know, it leaves out.
    model_config = ConfigDict(extra="ignore", frozen=True)


class PictureRecord(_Kept):
    """A picture of the data set. `added_at` tells one upload under its key from a later one. Of an accepted one,
    `sha256` is of its pixels and `look` what it looks like (`dataset.look`).
    """

    picture_id: str
    key: str
    filename: str
    bytes: int
    caption: str
    added_at: datetime
    state: PictureState = PictureState.WAITING
    fault: PictureFault | None = None
    same_as: str | None = None
    message: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    look: str | None = None


class Pending(_Kept):
    """Something that happened and is not announced yet: an event's name, its number among the training's events, and
    the training as it stood then (a `Training` as JSON, without its pictures: they don't change once there are events).
    """

    name: str
    sequence: int
    at: datetime
    training: str
    approvals_place: str = ""


class TrainingRecord(_Kept):
    """One training. Times are UTC.

    `version` counts the writes: every change is made to the version that was read. `due_at` is when a sweeper looks at
    it next; None says that it is settled: final, announced, nothing left to do or to delete. `sequence` is that of the
    last event. `attempts` counts the starts that were tried. `observed_at` is how old SageMaker's last word is that
    counts, `reported_at` how old the last report. `is_listing`: its LoRA is being listed, and can't be called back.
    `is_job_over`: no job of SageMaker's writes any more.
    """

    training_id: str
    version: int = 0
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
    channel: str
    licence_note: str
    context: dict[str, str]
    fingerprint: str
    estimate: Estimate
    created_at: datetime
    expires_at: datetime | None
    due_at: datetime | None
    pictures: tuple[PictureRecord, ...] = ()
    contact_sheet: StoredPicture | None = None
    submitted_at: datetime | None = None
    is_only_approver: bool = False
    decision: Decision | None = None
    attempts: int = 0
    attempted_at: datetime | None = None
    observed_at: datetime | None = None
    reported_at: datetime | None = None
    report: TrainingReport | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    is_listing: bool = False
    is_job_over: bool = True
    lora_version: int | None = None
    final_loss: float | None = None
    failure: TrainingFailure | None = None
    keep_dataset_until: datetime | None = None
    dataset_deleted: bool = False
    sequence: int = 0
    outbox: tuple[Pending, ...] = ()

    @property
    def prefix(self) -> str:
        """Where its files lie in the pictures bucket; ends with a slash."""
        return f"tenants/{self.owner.tenant}/trainings/{self.training_id}/"

    @property
    def uploads_prefix(self) -> str:
        """Where pictures lie as they were sent. Apart from the rest, since a bucket's lifecycle can only tell by the
        beginning of a key what is to be gone after a day.
        """
        return f"uploads/{self.prefix}"

    @property
    def order(self) -> str:
        """Sorts a tenant's trainings by age; unique."""
        return f"{int(self.created_at.timestamp() * 1000):014d}#{self.training_id}"

    @property
    def accepted(self) -> tuple[PictureRecord, ...]:
        """The pictures that it is trained with, in the order in which they were added."""
        return tuple(picture for picture in self.pictures if picture.state is PictureState.ACCEPTED)

    def picture(self, picture_id: str) -> PictureRecord | None:
        """The picture of that id."""
        return next((picture for picture in self.pictures if picture.picture_id == picture_id), None)

    def with_picture(self, changed: PictureRecord) -> TrainingRecord:
        """The same with this picture in the place of the one with its id, or as its last one."""
        if self.picture(changed.picture_id) is None:
            return self.model_copy(update={"pictures": (*self.pictures, changed)})
        pictures = tuple(changed if one.picture_id == changed.picture_id else one for one in self.pictures)
        return self.model_copy(update={"pictures": pictures})

    def without_picture(self, picture_id: str) -> TrainingRecord:
        """The same without the picture of that id."""
        return self.model_copy(update={"pictures": tuple(one for one in self.pictures if one.picture_id != picture_id)})


def make_training_id(tenant: str, member: str, idempotency_key: str) -> str:
    """The same for the same three, so a repeated request finds its training."""
    # Neither a tenant nor a member contains the separator, so no two triples make the same text.
    return f"trn-{_name_of(f'{tenant}|{member}|{idempotency_key}')}"


def make_picture_id(training_id: str, key: str) -> str:
    """The same for the same picture of the same training."""
    return f"pic-{_name_of(f'{training_id}|{key}')}"


def _name_of(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode("ascii")[:26].lower()
