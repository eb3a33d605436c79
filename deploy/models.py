"""Puts a diffusers checkpoint where endpoints load it from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from endpoint.contract import ModelCard


class NotAModel(Exception):
    """The folder is not a diffusers checkpoint that Easel can serve; the message says what is missing."""


def publish_model(session: Any, folder: Path, bucket: str) -> ModelCard:
    """Upload a checkpoint folder, uncompressed, to `s3://<bucket>/<name>/`, and return its card.

    The folder holds `model_index.json` (diffusers) and `easel.json` (`ModelCard`). Raises `NotAModel`.
    """
    card = read_card(folder)
    s3 = session.client("s3")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            s3.upload_file(str(path), bucket, f"{card.name}/{path.relative_to(folder).as_posix()}")
    return card


def pipeline_of(folder: Path) -> str:
    """The class of diffusers that a checkpoint folder is made for. Raises `NotAModel`."""
    try:
        index = json.loads((folder / "model_index.json").read_text())
        return str(index.get("_class_name", ""))
    except (OSError, ValueError, AttributeError) as error:
        raise NotAModel(f"{folder / 'model_index.json'} can't be read: {error}") from error


def read_card(folder: Path) -> ModelCard:
    """The `easel.json` of a checkpoint folder. Raises `NotAModel`."""
    for name in ("model_index.json", "easel.json"):
        if not (folder / name).is_file():
            raise NotAModel(f"{folder} has no {name}")
    try:
        return ModelCard.model_validate(json.loads((folder / "easel.json").read_text()))
    except ValueError as error:
        raise NotAModel(f"{folder / 'easel.json'} is not a model card: {error}") from error
