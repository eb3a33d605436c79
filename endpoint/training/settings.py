"""What `train` reads from its environment, once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from endpoint.training.folders import Folders


class SettingsError(Exception):
    """The environment can't be used; the text lists every mistake at once."""


@dataclass(frozen=True)
class TrainingSettings:
    """How `train` runs, whatever it trains. Times in seconds.

    `threads`: torch's CPU threads. `checkpoint_seconds`: so much work an interruption may cost; 0 saves every step.
    """

    folders: Folders
    threads: int
    checkpoint_seconds: float
    progress_seconds: float

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> TrainingSettings:
        """SageMaker's own variables, and ours with the prefix `EASEL_`."""
        mistakes: list[str] = []

        def number(name: str, default: float) -> float:
            text = environment.get(name, "")
            if not text:
                return default
            try:
                value = float(text)
            except ValueError:
                value = float("nan")
            if not value >= 0:
                mistakes.append(f"{name} is {text!r}; it must be a number of at least 0")
                return default
            return value

        settings = TrainingSettings(
            folders=Folders.from_environment(environment),
            threads=int(number("EASEL_THREADS", 0)) or len(os.sched_getaffinity(0)),
            checkpoint_seconds=number("EASEL_CHECKPOINT_SECONDS", 30.0),
            progress_seconds=number("EASEL_PROGRESS_SECONDS", 5.0),
        )
        if mistakes:
            raise SettingsError("; ".join(mistakes))
        return settings
