"""Training requests and data sets for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from endpoint.training.folders import Folders
from endpoint.training_contract import REQUEST_NAME, TrainingRequest

PICTURES = 4


def training_fields(**changes: Any) -> dict[str, Any]:
    """A small training's request, as JSON has it."""
    return {
        "training_id": "trn-mug",
        "name": "mug",
        "trigger": "zblx",
        "kind": "subject",
        "base_model": "random",
        "pictures": [{"file": f"picture-{at}.png", "caption": f"a zblx number {at}"} for at in range(PICTURES)],
        "resolution": 128,
        "rank": 4,
        "steps": 12,
        "batch_size": 2,
        "learning_rate": 1e-3,
        "text_encoder": False,
        "prior_pictures": 0,
        "class_prompt": "a mug",
        "seed": 7,
        "sample_prompts": ["a zblx", "a mug"],
        "sample_every": 6,
        "output": {"bucket": "pictures", "prefix": "tenants/t/trainings/trn-mug/"},
        **changes,
    }


def training_request(**changes: Any) -> TrainingRequest:
    """The same, read."""
    return TrainingRequest.model_validate(training_fields(**changes))


def write_training(base: Path, model: Path, **changes: Any) -> Folders:
    """SageMaker's folders with a model, coloured squares and their request. One picture is wider than high."""
    folders = Folders(base)
    folders.dataset.mkdir(parents=True)
    folders.base_model.symlink_to(model)
    fields = training_fields(**changes)
    random = np.random.default_rng(5)
    for at, picture in enumerate(fields["pictures"]):
        pixels = np.full((96, 150 if at == 1 else 96, 3), random.integers(0, 255, 3), np.uint8)
        pixels[20:60, 30:70] = random.integers(0, 255, 3)
        Image.fromarray(pixels).save(folders.dataset / picture["file"])
    (folders.dataset / REQUEST_NAME).write_text(json.dumps(fields))
    folders.hyperparameters.parent.mkdir(parents=True)
    folders.hyperparameters.write_text(json.dumps({"training_id": fields["training_id"]}))
    return folders
