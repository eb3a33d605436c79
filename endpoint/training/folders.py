"""Where SageMaker puts what a training needs and fetches what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BASE_VARIABLE = "SAGEMAKER_BASE_DIR"
"""The variable of SageMaker's own training toolkit that moves `/opt/ml`, so that trainings can share one machine."""


@dataclass(frozen=True)
class Folders:
    """The folders below `base`, as in
    https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
    """

    base: Path

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Folders:
        """Below `SAGEMAKER_BASE_DIR`, or `/opt/ml`."""
        return Folders(Path(environment.get(BASE_VARIABLE) or "/opt/ml"))

    @property
    def hyperparameters(self) -> Path:
        """What `CreateTrainingJob` was told, as JSON: strings by name."""
        return self.base / "input" / "config" / "hyperparameters.json"

    @property
    def base_model(self) -> Path:
        """The channel `model`."""
        return self.base / "input" / "data" / "model"

    @property
    def dataset(self) -> Path:
        """The channel `dataset`."""
        return self.base / "input" / "data" / "dataset"

    @property
    def checkpoints(self) -> Path:
        """Kept in S3 as it is written, and filled from there before a job that was interrupted starts again."""
        return self.base / "checkpoints"

    @property
    def result(self) -> Path:
        """What is in it at the end is the job's output."""
        return self.base / "model"

    @property
    def failure(self) -> Path:
        """Its text becomes the job's `FailureReason`."""
        return self.base / "output" / "failure"
