"""The wire form of a training: what `train` reads, writes while it runs, and leaves behind. No torch here.

The container finds

    /opt/ml/input/data/model/           the base model, in diffusers' own format
    /opt/ml/input/data/dataset/         training.json (`TrainingRequest`) and the pictures that it names
    /opt/ml/checkpoints/                what an interrupted run left; SageMaker keeps it in S3 as it is written

and leaves

    /opt/ml/model/lora.safetensors      the LoRA, as stock diffusers' `load_lora_weights` reads it
    /opt/ml/model/manifest.json         `TrainingManifest`, written last
    /opt/ml/output/failure              one sentence, fit for people, when it fails

While it runs it writes to S3, below `TrainingRequest.output`:

    loss-<step>.png                     the loss so far, as a plot
    samples-<step>.png                  the sample prompts, before any training and now, side by side
    progress.json                       overwritten (`TrainingProgress`), after the files that it names
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from endpoint.contract import MAX_PROMPT_CHARS, MAX_SIDE, OutputLocation, Seed, Wire

MIN_TRAINING_PICTURES = 3
MAX_TRAINING_PICTURES = 50
MIN_RANK, MAX_RANK = 1, 128
MIN_TRAINING_STEPS, MAX_TRAINING_STEPS = 10, 10_000
MIN_LEARNING_RATE, MAX_LEARNING_RATE = 1e-6, 1e-2
MIN_RESOLUTION = 128
MAX_PRIOR_PICTURES = 200
MAX_SAMPLE_PROMPTS = 4

REQUEST_NAME = "training.json"
PROGRESS_NAME = "progress.json"
LORA_NAME = "lora.safetensors"
MANIFEST_NAME = "manifest.json"


METRIC_DEFINITIONS = {
    "loss": r'"loss": ([0-9.eE+-]+)',
    "step": r'"step": ([0-9]+)',
    "seconds_per_step": r'"seconds_per_step": ([0-9.eE+-]+)',
}
"""SageMaker's regular expressions (`AlgorithmSpecification.MetricDefinitions`) for the numbers in the log's lines."""


class TrainingKind(StrEnum):
    """What the pictures show: one thing again and again, or a way of drawing."""

    SUBJECT = "subject"
    STYLE = "style"


class TrainingPicture(Wire):
    """A picture of the data set, beside `training.json`, and what it shows. The caption contains the trigger word."""

    file: str = Field(pattern=r"^[a-z0-9-]{1,40}\.png$")
    caption: str = Field(min_length=1, max_length=MAX_PROMPT_CHARS)


class TrainingRequest(Wire):
    """Train one LoRA. Every setting is explicit: defaults are the caller's business. Same request, same LoRA.

    `resolution` is the longer side in pixels, a multiple of the model's `size_multiple`; pictures are scaled to it and
    cropped as little as that multiple asks. With `prior_pictures` > 0 the base model first paints so many pictures of
    `class_prompt`, of the captions without the trigger and of nothing in particular; they count with `prior_weight` in
    every step, so that it forgets nothing (prior preservation).
    The loss is weighted by min-SNR with `min_snr_gamma`, where that is > 0.
    """

    version: Literal[1] = 1
    training_id: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9](-?[a-z0-9])*$")
    name: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9-]*$")
    trigger: str = Field(min_length=1, max_length=40)
    kind: TrainingKind
    base_model: str
    pictures: list[TrainingPicture] = Field(min_length=MIN_TRAINING_PICTURES, max_length=MAX_TRAINING_PICTURES)
    resolution: int = Field(ge=MIN_RESOLUTION, le=MAX_SIDE)
    rank: int = Field(ge=MIN_RANK, le=MAX_RANK)
    steps: int = Field(ge=MIN_TRAINING_STEPS, le=MAX_TRAINING_STEPS)
    batch_size: int = Field(ge=1, le=16)
    learning_rate: float = Field(ge=MIN_LEARNING_RATE, le=MAX_LEARNING_RATE, allow_inf_nan=False)
    text_encoder: bool
    """Whether the text encoder gets LoRA layers too."""
    prior_pictures: int = Field(ge=0, le=MAX_PRIOR_PICTURES)
    class_prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS)
    prior_weight: float = Field(default=1.0, ge=0, le=10)
    min_snr_gamma: float = Field(default=5.0, ge=0, le=100)
    seed: Seed
    sample_prompts: list[str] = Field(min_length=1, max_length=MAX_SAMPLE_PROMPTS)
    sample_seed: Seed = 0
    sample_every: int = Field(ge=1)
    """Steps between two sets of samples; one more comes at the end."""
    output: OutputLocation


class TrainingPhase(StrEnum):
    """What a running training is at."""

    PREPARING = "preparing"
    """Loading the model, encoding pictures and captions, painting what prior preservation needs."""
    TRAINING = "training"
    FINISHING = "finishing"


class TrainingProgress(Wire):
    """How far a training is. `loss` is smoothed. `loss_key` and `samples_key` are the newest pictures in the bucket."""

    version: Literal[1] = 1
    training_id: str
    phase: TrainingPhase
    step: int = Field(ge=0)
    steps: int = Field(ge=1)
    loss: float | None = None
    seconds_left: float | None = Field(default=None, ge=0)
    loss_key: str | None = None
    samples_key: str | None = None


class TrainingManifest(Wire):
    """What a training has made. `dataset_sha256` is over the pictures and captions in their order.

    `interruptions` counts the runs before the one that finished. Seconds are of training alone, over all runs.
    """

    version: Literal[1] = 1
    training_id: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=1)
    rank: int
    steps: int
    first_loss: float
    final_loss: float
    seconds: float
    interruptions: int = Field(ge=0)
    dataset_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    loss_key: str
    samples_key: str
