"""What the backend announces of trainings, on the same bus and in the same form as `contract/events.py`."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backend_lambda.contract.trainings import Training


class TrainingEvent(BaseModel):
    """What happened to a training: as it stood then, without presigned links. `sequence` grows with every event of the
    same training: of two, the one with the larger number is the later one.
    """

    # A later backend may say more: readers ignore what they do not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = 1
    event_id: str
    sequence: int
    training: Training
    at: datetime


class TrainingRequested(TrainingEvent):
    """It waits for an approval. `approvals_place` is the tenant's, as its policy says; empty where none is set."""

    approvals_place: str = ""


class TrainingDecided(TrainingEvent):
    """It was approved or denied."""


class TrainingProgressed(TrainingEvent):
    """It starts, runs, starts again after an interruption: `training.state` and `training.report`."""


class TrainingSucceeded(TrainingEvent):
    """Its LoRA is listed."""


class TrainingFailed(TrainingEvent):
    """It ended without a LoRA."""


class TrainingCancelled(TrainingEvent):
    """Someone who may do so cancelled it."""


class TrainingExpired(TrainingEvent):
    """Nobody decided in time."""


TRAINING_EVENT_TYPES: dict[str, type[TrainingEvent]] = {
    event.__name__: event
    for event in (
        TrainingRequested,
        TrainingDecided,
        TrainingProgressed,
        TrainingSucceeded,
        TrainingFailed,
        TrainingCancelled,
        TrainingExpired,
    )
}
