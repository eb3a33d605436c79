"""What the container reads from its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from endpoint.serving.settings import ServingSettings, SettingsError


def test_defaults_are_sagemakers() -> None:
    settings = ServingSettings.from_environment({})
    assert (settings.host, settings.port, settings.model_directory) == ("0.0.0.0", 8080, Path("/opt/ml/model"))
    assert settings.drain_seconds == 25
    assert settings.threads >= 1
    assert (settings.lora_disk_bytes, settings.lora_memory_bytes) == (8 << 30, 2 << 30)
    assert settings.lora_directory.name.startswith("easel-loras-")


def test_reads_what_is_set() -> None:
    settings = ServingSettings.from_environment(
        {"SAGEMAKER_BIND_TO_PORT": "9000", "EASEL_BIND_HOST": "127.0.0.1", "EASEL_MAX_BATCH": "4", "EASEL_THREADS": "1"}
    )
    assert (settings.port, settings.host, settings.max_batch, settings.threads) == (9000, "127.0.0.1", 4, 1)
    settings = ServingSettings.from_environment(
        {"EASEL_LORA_DIRECTORY": "/scratch", "EASEL_LORA_DISK_BYTES": "5000", "EASEL_LORA_MEMORY_BYTES": "1000"}
    )
    assert (settings.lora_directory, settings.lora_disk_bytes, settings.lora_memory_bytes) == (
        Path("/scratch"),
        5000,
        1000,
    )


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError, match=r"EASEL_DTYPE is 'int4'.*SAGEMAKER_BIND_TO_PORT is 'x'"):
        ServingSettings.from_environment({"SAGEMAKER_BIND_TO_PORT": "x", "EASEL_DTYPE": "int4"})
