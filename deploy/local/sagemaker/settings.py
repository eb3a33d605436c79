"""How the stand-in runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SageMakerSettings:
    """All times are in seconds.

    `time_scale`: how many of the service's seconds pass in one of ours. It compresses TTLs, periods and cooldowns,
    never what the container takes, nor the limits of a training job. `launch_seconds`: what an instance that scaling
    adds, or a training job gets, takes before its process starts, in our seconds. `stop_grace_seconds`: from SIGTERM
    to SIGKILL for one that trains. `checkpoint_seconds`: how often checkpoints are looked for. `python`: the
    interpreter that has the endpoint's requirements.
    """

    gateway_url: str
    access_key: str
    secret_key: str
    folder: Path
    port: int = 0
    python: str = sys.executable
    repository: Path = Path(__file__).resolve().parents[3]
    region: str = "us-east-1"
    time_scale: float = 1.0
    launch_seconds: float = 0.0
    startup_seconds: float = 300.0
    metrics_seconds: float = 5.0
    scaling_seconds: float = 1.0
    stop_grace_seconds: float = 120.0
    checkpoint_seconds: float = 1.0
    container_environment: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> SageMakerSettings:
        """`AWS_ENDPOINT_URL`, the root credentials, and `EASEL_SAGEMAKER_…` for the rest."""

        def number(name: str, default: float) -> float:
            return float(environment.get(f"EASEL_SAGEMAKER_{name}", default))

        defaults = SageMakerSettings("", "", "", Path())
        return SageMakerSettings(
            gateway_url=environment["AWS_ENDPOINT_URL"],
            access_key=environment["AWS_ACCESS_KEY_ID"],
            secret_key=environment["AWS_SECRET_ACCESS_KEY"],
            folder=Path(environment["EASEL_SAGEMAKER_FOLDER"]),
            port=int(number("PORT", 0)),
            region=environment.get("AWS_DEFAULT_REGION", defaults.region),
            time_scale=number("TIME_SCALE", defaults.time_scale),
            launch_seconds=number("LAUNCH_SECONDS", defaults.launch_seconds),
            startup_seconds=number("STARTUP_SECONDS", defaults.startup_seconds),
            metrics_seconds=number("METRICS_SECONDS", defaults.metrics_seconds),
            scaling_seconds=number("SCALING_SECONDS", defaults.scaling_seconds),
            stop_grace_seconds=number("STOP_GRACE_SECONDS", defaults.stop_grace_seconds),
            checkpoint_seconds=number("CHECKPOINT_SECONDS", defaults.checkpoint_seconds),
            container_environment={
                name: value for name, value in environment.items() if name in {"EASEL_THREADS", "EASEL_LOG_LEVEL"}
            },
        )

    def environment(self) -> dict[str, str]:
        """What makes `from_environment` give these settings (for starting the stand-in as a process)."""
        prefix = "EASEL_SAGEMAKER_"
        return {
            "AWS_ENDPOINT_URL": self.gateway_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            f"{prefix}FOLDER": str(self.folder),
            f"{prefix}PORT": str(self.port),
            f"{prefix}TIME_SCALE": str(self.time_scale),
            f"{prefix}LAUNCH_SECONDS": str(self.launch_seconds),
            f"{prefix}STARTUP_SECONDS": str(self.startup_seconds),
            f"{prefix}METRICS_SECONDS": str(self.metrics_seconds),
            f"{prefix}SCALING_SECONDS": str(self.scaling_seconds),
            f"{prefix}STOP_GRACE_SECONDS": str(self.stop_grace_seconds),
            f"{prefix}CHECKPOINT_SECONDS": str(self.checkpoint_seconds),
            **self.container_environment,
        }
