"""The REST API's endpoints: the models that can be asked to paint."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from backend_lambda.contract.training_estimate import TrainingOffer


class EndpointStatus(StrEnum):
    """SageMaker's endpoint states, as clients need them."""

    READY = "ready"
    STARTING = "starting"
    UPDATING = "updating"
    DELETING = "deleting"
    FAILED = "failed"
    MISSING = "missing"


class Endpoint(BaseModel):
    """One endpoint: its model, whether it takes work, its defaults and limits (pixels, steps)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    model: str
    title: str
    status: EndpointStatus
    instances: int = Field(ge=0)
    native_width: int
    native_height: int
    size_multiple: int
    default_steps: int
    default_guidance_scale: float
    max_steps: int
    max_pixels: int
    training: TrainingOffer | None = None
    """None: nothing can be trained on it."""


class EndpointList(BaseModel):
    """All endpoints that the caller may see, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoints: list[Endpoint]
