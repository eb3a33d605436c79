"""A short training of the miniature model itself; `endpoint.tiny.evaluate_training` does a whole one and judges it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from endpoint.contract import OutputLocation
from endpoint.tiny.evaluate_training import FolderStore, paint_zblxes, write_dataset
from endpoint.tiny.pipeline import MODEL_DIR, load
from endpoint.tiny.striped_circle import CAPTION, PICTURES
from endpoint.tiny.training_presets import PRESETS
from endpoint.training.folders import Folders
from endpoint.training.interruption import Interruption
from endpoint.training.run_training import run_training
from endpoint.training.settings import TrainingSettings


def test_a_few_steps_change_what_is_painted(tmp_path: Path) -> None:
    folders, store = Folders(tmp_path / "ml"), FolderStore(tmp_path / "reports")
    request = write_dataset(
        folders.dataset, "draft", steps=24, batch_size=4, prior_pictures=2, sample_prompts=[CAPTION], sample_every=99
    )
    folders.base_model.symlink_to(MODEL_DIR)
    manifest = run_training(TrainingSettings(folders, 1, 60, 60), store, Interruption())
    assert manifest.final_loss < 0.9 * manifest.first_loss
    assert store.exists(OutputLocation(bucket="none", prefix="training/"), "loss-24.png")
    assert len(request.pictures) == len(PICTURES)
    pipeline = load()
    (before,) = paint_zblxes(pipeline, [5])
    pipeline.load_lora_weights(folders.result, weight_name="lora.safetensors")
    (after,) = paint_zblxes(pipeline, [5])
    assert np.abs(before.astype(int) - after).mean() > 5


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_requests(preset: str, tmp_path: Path) -> None:
    assert write_dataset(tmp_path, preset).steps == PRESETS[preset]["steps"]
