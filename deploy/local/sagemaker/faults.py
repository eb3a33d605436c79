"""Mishaps that tests switch on: SageMaker's notifications may be late, come twice or never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.sagemaker.aws_protocol import validation_exception


@dataclass
class Faults:
    """`drop`, `duplicate`: for how many of the next notifications. `delay_seconds`: for all, until set back to 0."""

    drop_completions: int = 0
    duplicate_completions: int = 0
    delay_completions_seconds: float = 0.0

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
        if self.drop_completions:
            self.drop_completions -= 1
            return 0
        if self.duplicate_completions:
            self.duplicate_completions -= 1
            return 2
        return 1
