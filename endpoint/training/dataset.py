"""What is trained on: `training.json` and the pictures that it names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import ValidationError

from endpoint.training.failures import dataset_unreadable, request_unreadable
from endpoint.training_contract import REQUEST_NAME, TrainingRequest


def read_request(dataset: Path, hyperparameters: Path) -> TrainingRequest:
    """The settings of the training that SageMaker was told to run. Raises `TrainingFailed`."""
    try:
        request = TrainingRequest.model_validate_json((dataset / REQUEST_NAME).read_bytes())
    except OSError as error:
        raise request_unreadable(f"there is no {REQUEST_NAME}") from error
    except ValidationError as error:
        wrong = ", ".join(sorted({".".join(map(str, detail["loc"])) or REQUEST_NAME for detail in error.errors()}))
        # Not "from error": its text has the captions in it, and would be logged.
        raise request_unreadable(f"{wrong} is wrong") from None
    told = _training_id(hyperparameters)
    if told not in (None, request.training_id):
        raise request_unreadable("the data set belongs to another training")
    return request


def read_pictures(dataset: Path, request: TrainingRequest, multiple: int) -> list[np.ndarray]:
    """The pictures in the request's order, uint8 RGB, each in its own `training_size`. Raises `TrainingFailed`."""
    return [_read_picture(dataset / each.file, request.resolution, multiple) for each in request.pictures]


def dataset_sha256(dataset: Path, request: TrainingRequest) -> str:
    """Over the pictures' bytes and captions in their order. Raises `TrainingFailed`."""
    digest = hashlib.sha256()
    for picture in request.pictures:
        for part in (_bytes(dataset / picture.file), picture.caption.encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def training_size(width: int, height: int, resolution: int, multiple: int) -> tuple[int, int]:
    """Width and height to train in: the longer side is `resolution`, both are multiples, the shape hardly changes."""
    scale = resolution / max(width, height)
    fitted = [max(1, round(side * scale / multiple)) * multiple for side in (width, height)]
    return fitted[0], fitted[1]


def _read_picture(path: Path, resolution: int, multiple: int) -> np.ndarray:
    _bytes(path)
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise dataset_unreadable(path.name, "it is no picture, or a damaged one") from error
    width, height = training_size(picture.width, picture.height, resolution, multiple)
    scale = max(width / picture.width, height / picture.height)
    enlarged = max(width, round(picture.width * scale)), max(height, round(picture.height * scale))
    picture = picture.resize(enlarged, Image.Resampling.LANCZOS)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return np.asarray(picture.crop((left, top, left + width, top + height)))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise dataset_unreadable(path.name, "it is not there") from error


def _training_id(hyperparameters: Path) -> str | None:
    """SageMaker's own word for which training this is; None where it gave none."""
    try:
        told = json.loads(hyperparameters.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    value = told.get("training_id") if isinstance(told, dict) else None
    # The SageMaker SDK writes JSON within JSON.
    return value.strip('"') if isinstance(value, str) else None
