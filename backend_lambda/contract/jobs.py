"""The REST API's jobs: what a client sends and reads."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from backend_lambda.contract.errors import JobFailure
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.limits import (
    MAX_ASPECT,
    MAX_CONTEXT_CHARS,
    MAX_GUIDANCE_SCALE,
    MAX_IDEMPOTENCY_KEY_CHARS,
    MAX_PICTURES,
    MAX_PROMPT_CHARS,
    MAX_SEED,
    MAX_SIDE,
    MAX_STEPS,
    MIN_SIDE,
)
from backend_lambda.contract.training_limits import (
    DEFAULT_LORA_WEIGHT,
    MAX_LORA_NAME_CHARS,
    MAX_LORA_WEIGHT,
    MAX_LORAS,
)

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
LoraWeight = Annotated[float, Field(ge=-MAX_LORA_WEIGHT, le=MAX_LORA_WEIGHT, allow_inf_nan=False)]


class Model(BaseModel):
    """Unknown fields are refused; values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LoraChoice(Model):
    """A LoRA to paint with. Without a version, its newest."""

    model_config = ConfigDict(strict=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=MAX_LORA_NAME_CHARS)
    version: int | None = Field(default=None, ge=1)
    weight: LoraWeight = DEFAULT_LORA_WEIGHT


class UsedLora(Model):
    """The LoRA that a job paints with."""

    name: str
    version: int
    weight: float


class SubmitJob(Model):
    """Body of `POST /endpoints/{endpoint}/jobs`. What is left out takes the endpoint's default.

    Give either `width` and `height` (pixels) or `aspect_ratio` ("3:2"), not both.
    Picture `i` of `pictures` is painted with seed `seed + i` (modulo 2³²).
    The same `idempotency_key` from the same caller always answers the same job.
    `context` is handed back, unread, in the job and in every event about it.
    """

    # A request says what it means: "2" is no number, and true is no seed.
    model_config = ConfigDict(strict=True)

    prompt: str = Field(max_length=MAX_PROMPT_CHARS)
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS)
    aspect_ratio: str | None = Field(default=None, pattern=r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$")
    width: int | None = Field(default=None, ge=MIN_SIDE, le=MAX_SIDE)
    height: int | None = Field(default=None, ge=MIN_SIDE, le=MAX_SIDE)
    pictures: int = Field(default=1, ge=1, le=MAX_PICTURES)
    seed: Seed | None = None
    steps: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    guidance_scale: float | None = Field(default=None, ge=0, le=MAX_GUIDANCE_SCALE, allow_inf_nan=False)
    loras: list[LoraChoice] = Field(default_factory=list, max_length=MAX_LORAS)
    idempotency_key: str = Field(min_length=1, max_length=MAX_IDEMPOTENCY_KEY_CHARS, pattern=r"^[A-Za-z0-9._:/+=@-]+$")
    context: dict[str, str] = Field(default_factory=dict)

    @field_validator("prompt")
    @classmethod
    def _prompt_says_something(cls, prompt: str) -> str:
        if not prompt.strip():
            raise ValueError("the prompt is empty")
        return prompt

    @field_validator("context")
    @classmethod
    def _context_is_small(cls, context: dict[str, str]) -> dict[str, str]:
        size = sum(len(key) + len(value) + 6 for key, value in context.items())
        if size > MAX_CONTEXT_CHARS:
            raise ValueError(f"the context has {size} characters; at most {MAX_CONTEXT_CHARS} are allowed")
        return context

    @model_validator(mode="after")
    def _one_way_to_say_the_size(self) -> SubmitJob:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together")
        if self.width is not None and self.aspect_ratio is not None:
            raise ValueError("give either width and height, or aspect_ratio")
        if self.aspect_ratio is not None:
            across, down = (int(part) for part in self.aspect_ratio.split(":"))
            if max(across, down) > MAX_ASPECT * min(across, down):
                raise ValueError(f"the longer side may be at most {MAX_ASPECT} times the shorter one")
        return self


class Settings(Model):
    """Everything that decides a job's pictures, with every default filled in.

    `negative_prompt` is empty where none was given; `seeds` has one entry a picture.
    """

    prompt: str
    negative_prompt: str
    width: int
    height: int
    seeds: list[Seed]
    steps: int
    guidance_scale: float
    loras: list[UsedLora] = Field(default_factory=list)


class Owner(Model):
    """Who asked, read from the signed request: `tenant` is the isolation boundary, `member` the person or client."""

    tenant: str
    member: str


class JobPicture(Model):
    """One finished picture. `url` is a presigned link, present in API answers and absent in events."""

    bucket: str
    key: str
    seed: Seed
    width: int
    height: int
    bytes: int
    url: str | None = None


class JobGrid(Model):
    """All pictures of the job in one PNG; present where there is more than one."""

    bucket: str
    key: str
    width: int
    height: int
    bytes: int
    url: str | None = None


class Job(Model):
    """A job as the API answers it. Times are UTC; `model_seconds` is the container's own time."""

    job_id: str
    state: JobState
    endpoint: str
    model: str
    owner: Owner
    settings: Settings
    context: dict[str, str]
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pictures: list[JobPicture] = Field(default_factory=list)
    grid: JobGrid | None = None
    model_seconds: float | None = None
    failure: JobFailure | None = None


class JobList(Model):
    """A page of the caller's jobs, newest first. Hand `next` back as `?next=` for the page that follows."""

    jobs: list[Job]
    next: str | None = None
