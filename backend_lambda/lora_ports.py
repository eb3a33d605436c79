"""How a training hands over what it has made. The registry keeps it; trainings know no more of it than this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.trainings import TrainingKind, TrainingSettings


class LoraNotRegistrable(Exception):
    """The registry will not take it, however often it is asked: `message` says why and what next, in one sentence that
    is fit for people (somebody else's LoRA has that name by now; it has all the versions that it may have).
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class NewLora:
    """A LoRA that a training has made, and all that its card says. Keys are of the pictures bucket, below the
    training's own prefix: the registry copies both objects before it answers, for the training's files may be deleted
    right after. `sha256` is of the object `file_key`, checked by the caller. `file_key` has `bytes` bytes.

    `channel` is where the training was asked for; empty where it was in none.
    """

    training_id: str
    owner: Owner
    name: str
    model: str
    trigger: str
    kind: TrainingKind
    settings: TrainingSettings
    rank: int
    bytes: int
    sha256: str
    licence_note: str
    final_loss: float
    dataset_sha256: str
    dataset_pictures: int
    file_key: str
    samples_key: str | None
    channel: str
    created_at: datetime


class LoraRegistry(Protocol):
    """Where LoRAs are listed."""

    def check_name(self, owner: Owner, name: str, now: datetime) -> None:
        """Before anybody trains it: whether a LoRA of this owner's may be called so now. Raises the `Refusal`
        `LoraNameTaken` where `register` would not list it.
        """

    def register(self, lora: NewLora) -> int:
        """List it as the next version of its name, which is the answer. Twice for one `training_id` registers once and
        answers the same version, also where the first try died half way, and also where that version is deleted by
        then. Raises `LoraNotRegistrable`; anything else it raises means that later is worth a try.
        """
