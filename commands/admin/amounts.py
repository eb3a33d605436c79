"""Limits as an admin says them, in the API's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from commands.admin.subcommands import EACH, GPU_MINUTES, IMAGES, JOBS, MODELS, SIZE, STEPS
from commands.grammar.amounts import pixels_of
from commands.grammar.choices import split_names
from commands.grammar.options import Value


def limits_named(values: Mapping[str, Value]) -> dict[str, Any]:
    """The API's `Limits` as JSON, with what was named; empty where nothing was."""
    named: dict[str, Any] = {}
    if IMAGES.name in values:
        named["images_per_day"] = int(values[IMAGES.name])
    if GPU_MINUTES.name in values:
        named["gpu_seconds_per_day"] = int(values[GPU_MINUTES.name]) * 60
    if JOBS.name in values:
        named["jobs_at_once"] = int(values[JOBS.name])
    if SIZE.name in values:
        named["max_pixels"] = pixels_of(values[SIZE.name])
    if STEPS.name in values:
        named["max_steps"] = int(values[STEPS.name])
    if MODELS.name in values:
        named["models"] = list(split_names(values[MODELS.name]))
    if named and values.get(EACH.name):
        named["each_member"] = True
    return named
