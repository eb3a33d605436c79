"""Mishaps that tests switch on: messages may be late, come twice or never, instances out of stock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.sagemaker.aws_protocol import validation_exception


@dataclass
class Faults:
    """`drop`, `duplicate`, `refuse`: for how many of the next ones. The others hold until they are set back to 0.

    Training events are each late by up to `delay_training_events_seconds`, so that their order is lost.
    `refuse_trainings`: the account's quota is used up. `no_training_capacity`: no instance can be had.
    """

    drop_completions: int = 0
    duplicate_completions: int = 0
    delay_completions_seconds: float = 0.0
    drop_training_events: int = 0
    duplicate_training_events: int = 0
    delay_training_events_seconds: float = 0.0
    refuse_trainings: int = 0
    no_training_capacity: int = 0

    def set(self, given: Mapping[str, object]) -> None:
        """Raises `AwsError` for a name or value that is none."""
        for name, value in given.items():
            if name not in vars(self):
                raise validation_exception(f"{name} is not a fault; there are {', '.join(vars(self))}.")
            if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
                raise validation_exception(f"{name} must be a number of at least 0.")
            setattr(self, name, value)

    def copies(self) -> int:
        """How often the next notification is published."""
        return self._copies("completions")

    def event_copies(self) -> int:
        """How often the next event of a training job is sent."""
        return self._copies("training_events")

    def _copies(self, kind: str) -> int:
        for name, copies in ((f"drop_{kind}", 0), (f"duplicate_{kind}", 2)):
            left = getattr(self, name)
            if left:
                setattr(self, name, left - 1)
                return copies
        return 1
