"""What the container reads from its environment, once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """The environment can't be used; the text lists every mistake at once."""


def _default_lora_directory() -> Path:
    """Each user's own: on a shared machine, another's could not be read."""
    return Path(tempfile.gettempdir()) / f"easel-loras-{os.getuid()}"


@dataclass(frozen=True)
class ServingSettings:
    """How `serve` runs. Times in seconds.

    `max_batch`: pictures in one denoising step; None chooses by device. `threads`: torch's CPU threads.
    `dtype`: one of `float32`, `float16`, `bfloat16`, or None to choose by device.
    LoRAs that were used are kept in `lora_directory` and in memory, up to so many bytes each.
    """

    host: str
    port: int
    model_directory: Path
    max_batch: int | None
    threads: int
    dtype: str | None
    model_name: str | None
    progress_seconds: float
    drain_seconds: float
    embedding_cache_entries: int
    lora_directory: Path
    lora_disk_bytes: int
    lora_memory_bytes: int

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> ServingSettings:
        """SageMaker's own variables, and ours with the prefix `EASEL_`."""
        mistakes: list[str] = []

        def number(name: str, default: float, minimum: float) -> float:
            text = environment.get(name, "")
            if not text:
                return default
            try:
                value = float(text)
            except ValueError:
                value = float("nan")
            if not value >= minimum:
                mistakes.append(f"{name} is {text!r}; it must be a number of at least {minimum:g}")
                return default
            return value

        dtype = environment.get("EASEL_DTYPE") or None
        if dtype not in (None, "float32", "float16", "bfloat16"):
            mistakes.append(f"EASEL_DTYPE is {dtype!r}; it must be float32, float16 or bfloat16")
        settings = ServingSettings(
            host=environment.get("SAGEMAKER_BIND_TO_HOST") or environment.get("EASEL_BIND_HOST") or "0.0.0.0",  # noqa: S104 - a container's port is reached from outside it
            port=int(number("SAGEMAKER_BIND_TO_PORT", 8080, 0)),
            model_directory=Path(environment.get("SM_MODEL_DIR") or "/opt/ml/model"),
            max_batch=int(number("EASEL_MAX_BATCH", 0, 0)) or None,
            threads=int(number("EASEL_THREADS", 0, 0)) or len(os.sched_getaffinity(0)),
            dtype=dtype,
            model_name=environment.get("EASEL_MODEL_NAME") or None,
            progress_seconds=number("EASEL_PROGRESS_SECONDS", 2.0, 0.01),
            drain_seconds=number("EASEL_DRAIN_SECONDS", 25.0, 0.0),
            embedding_cache_entries=int(number("EASEL_EMBEDDING_CACHE", 256, 1)),
            lora_directory=Path(environment.get("EASEL_LORA_DIRECTORY") or _default_lora_directory()),
            lora_disk_bytes=int(number("EASEL_LORA_DISK_BYTES", 8 << 30, 1)),
            lora_memory_bytes=int(number("EASEL_LORA_MEMORY_BYTES", 2 << 30, 1)),
        )
        if mistakes:
            raise SettingsError("; ".join(mistakes))
        return settings
