"""The wire form of `POST /invocations`: what the endpoint takes, writes to S3 and answers.

No torch here: clients import this module. All S3 keys are below `OutputLocation.prefix`, which belongs to one job:

    <prefix>request.json     the invocation's input, written by the caller (`GenerateRequest`)
    <prefix>progress.json    overwritten while the job runs (`Progress`)
    <prefix>cancelled        written by the caller: the endpoint stops at the next step and answers `cancelled`
    <prefix>0.png …          one file a picture, in the order of `seeds`
    <prefix>grid.png         all pictures side by side, where there is more than one
    <prefix>manifest.json    written last, the same document as the response (`Manifest`)
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_PROMPT_CHARS = 2_000
MAX_PICTURES = 4
MAX_SEED = 2**32 - 1
MIN_SIDE = 64
MAX_SIDE = 2_048
MAX_STEPS = 150
MAX_GUIDANCE_SCALE = 30.0
MAX_LORAS = 4
MAX_LORA_WEIGHT = 2.0
MAX_LORA_BYTES = 512 * 1024 * 1024

REQUEST_NAME = "request.json"
PROGRESS_NAME = "progress.json"
CANCELLED_NAME = "cancelled"
GRID_NAME = "grid.png"
MANIFEST_NAME = "manifest.json"

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class Wire(BaseModel):
    """A message: unknown fields are refused, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OutputLocation(Wire):
    """Where the job's files go: `s3://<bucket>/<prefix>…`; the prefix ends with a slash."""

    bucket: str = Field(min_length=3, max_length=63)
    prefix: str = Field(min_length=2, max_length=512, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:=/-]*/$")


class LoraWeights(Wire):
    """A LoRA to paint with: `s3://<bucket>/<key>`, one safetensors file in diffusers' or kohya's naming.

    The file is used only if its SHA-256 is `sha256`. `weight` scales what it adds; 0 leaves the model as it is.
    """

    name: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9-]*$")
    bucket: str = Field(min_length=3, max_length=63)
    key: str = Field(min_length=1, max_length=1_024)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=1, le=MAX_LORA_BYTES)
    weight: float = Field(ge=-MAX_LORA_WEIGHT, le=MAX_LORA_WEIGHT, allow_inf_nan=False)


class GenerateRequest(Wire):
    """Paint `len(seeds)` pictures of one prompt. Every setting is explicit: defaults are the caller's business.

    Picture `i` depends on the settings and `seeds[i]` alone, never on its neighbours.
    Sides are in pixels, multiples of the model's `size_multiple`.
    """

    version: Literal[1] = 1
    job_id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")
    prompt: str = Field(min_length=1, max_length=MAX_PROMPT_CHARS)
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS)
    width: int = Field(ge=MIN_SIDE, le=MAX_SIDE)
    height: int = Field(ge=MIN_SIDE, le=MAX_SIDE)
    seeds: list[Seed] = Field(min_length=1, max_length=MAX_PICTURES)
    steps: int = Field(ge=1, le=MAX_STEPS)
    guidance_scale: float = Field(ge=0, le=MAX_GUIDANCE_SCALE, allow_inf_nan=False)
    loras: list[LoraWeights] = Field(default_factory=list, max_length=MAX_LORAS)
    output: OutputLocation


class Picture(Wire):
    """One stored PNG."""

    key: str
    seed: Seed
    width: int
    height: int
    bytes: int
    sha256: str


class Grid(Wire):
    """All pictures of the job in one PNG, row by row."""

    key: str
    width: int
    height: int
    bytes: int


class Timings(Wire):
    """Seconds spent inside the container. `waited` is the time until the engine admitted the request."""

    waited_seconds: float = Field(ge=0)
    denoise_seconds: float = Field(ge=0)
    decode_seconds: float = Field(ge=0)
    store_seconds: float = Field(ge=0)
    total_seconds: float = Field(ge=0)


class Manifest(Wire):
    """The answer to a `GenerateRequest`."""

    version: Literal[1] = 1
    job_id: str
    model: str
    pictures: list[Picture]
    grid: Grid | None = None
    timings: Timings


class Progress(Wire):
    """How far a job is: `step` of `steps` over all its pictures; `step` 0 says that work has begun."""

    version: Literal[1] = 1
    job_id: str
    step: int = Field(ge=0)
    steps: int = Field(ge=1)


class EndpointErrorCode(StrEnum):
    """Why an invocation failed. HTTP 400 for the first three, 503 for `unavailable`, 500 for the others."""

    INVALID_REQUEST = "invalid_request"
    CANCELLED = "cancelled"
    LORA_UNUSABLE = "lora_unusable"
    """A LoRA is missing in S3, is not what its checksum says, or does not fit the model; `message` names it."""
    OUT_OF_MEMORY = "out_of_memory"
    MODEL_FAILED = "model_failed"
    STORAGE_FAILED = "storage_failed"
    UNAVAILABLE = "unavailable"
    """The instance is starting, broken or shutting down: another one may take the job."""


class EndpointError(Wire):
    """The body of a failed invocation. `message` is fit for people; nothing of an exception is in it."""

    version: Literal[1] = 1
    job_id: str | None = None
    code: EndpointErrorCode
    message: str
    reference: str | None = None


class PresetSettings(BaseModel):
    """What a preset trains a LoRA with. Pixels, steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(ge=1, le=128)
    steps: int = Field(ge=10, le=10_000)
    batch_size: int = Field(ge=1, le=16)
    learning_rate: float = Field(ge=1e-6, le=1e-2)
    resolution: int = Field(ge=128, le=MAX_SIDE)
    prior_preservation: bool = False
    text_encoder: bool = False


class TrainingPresets(BaseModel):
    """What LoRAs of a model are trained with, by how much work is put into one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    draft: PresetSettings
    standard: PresetSettings
    fine: PresetSettings


class ModelCard(BaseModel):
    """`easel.json` beside a checkpoint: what a caller must know to use it.

    Sides in pixels; `max_pixels` is the largest width × height that the endpoint accepts.
    Missing values are derived from the checkpoint's own configuration when it is loaded.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    name: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1, max_length=80)
    native_width: int = Field(ge=MIN_SIDE, le=MAX_SIDE)
    native_height: int = Field(ge=MIN_SIDE, le=MAX_SIDE)
    size_multiple: int = Field(ge=8, le=128)
    default_steps: int = Field(ge=1, le=MAX_STEPS)
    default_guidance_scale: float = Field(ge=0, le=MAX_GUIDANCE_SCALE)
    max_steps: int = Field(ge=1, le=MAX_STEPS)
    max_pixels: int = Field(ge=MIN_SIDE * MIN_SIDE, le=MAX_SIDE * MAX_SIDE)
    license: str | None = None
    training: TrainingPresets | None = None
    """What its LoRAs are best trained with. None: its family's presets are taken."""
