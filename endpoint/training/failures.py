"""Why a training ends without a LoRA: one sentence each, fit for people, for SageMaker's failure file."""

from __future__ import annotations

import secrets


class TrainingFailed(Exception):
    """The training can't go on. Its text is one sentence: what, why, what next. Nothing of an exception is in it."""


class Interrupted(Exception):
    """SageMaker takes the instance away, or someone stopped the job: what is done is saved, the process ends."""


def request_unreadable(why: str) -> TrainingFailed:
    """`training.json` is missing or wrong."""
    return TrainingFailed(f"The training's settings can't be used ({why}): submit the training again.")


def dataset_unreadable(file: str, why: str) -> TrainingFailed:
    """A picture of the data set is missing or can't be decoded."""
    return TrainingFailed(f"The picture {file} can't be read ({why}): replace it and submit the training again.")


def model_unreadable(why: str) -> TrainingFailed:
    """The channel `model` holds no checkpoint, or a damaged one."""
    return TrainingFailed(f"The base model can't be loaded ({why}): ask whoever runs Easel to deploy it again.")


def model_not_trainable(name: str, why: str) -> TrainingFailed:
    """The checkpoint works, and this program doesn't know how to train it."""
    return TrainingFailed(f"The model {name} can't be trained ({why}): choose an endpoint with another model.")


def out_of_memory() -> TrainingFailed:
    """The step doesn't fit the device."""
    return TrainingFailed(
        "The training ran out of memory: choose a smaller resolution or rank, or ask for a larger instance."
    )


def diverged(step: int) -> TrainingFailed:
    """The loss is no number any more."""
    return TrainingFailed(f"The training fell apart at step {step}: choose a smaller learning rate.")


def unexpected() -> TrainingFailed:
    """What nobody thought of: the reference is in the logs, beside the exception."""
    reference = "ref-" + secrets.token_hex(4)
    return TrainingFailed(f"The training failed for a reason that is in its log: ask about {reference}.")
