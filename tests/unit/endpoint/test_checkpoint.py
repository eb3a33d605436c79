"""Reading what a model directory holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from endpoint.serving.checkpoint import Checkpoint, CheckpointError
from tests.fakes.random_checkpoint import random_stable_diffusion, random_stable_diffusion_xl, save


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(random_stable_diffusion(), tmp_path_factory.mktemp("Some Model"))


def test_derives_the_card_from_the_checkpoint(checkpoint: Path) -> None:
    read = Checkpoint.read(checkpoint)
    assert read.pipeline_class == "StableDiffusionPipeline"
    assert (read.card.native_width, read.card.native_height, read.card.size_multiple) == (64, 64, 8)
    assert read.card.max_pixels == 4 * 64 * 64
    assert read.card.name.startswith("some-model")
    assert read.sampler == "DDIM"
    assert len(read.fingerprint) == 10
    assert read == Checkpoint.read(checkpoint)
    assert Checkpoint.read(checkpoint, model_name="mine").card.name == "mine"


def test_card_beside_the_checkpoint_wins(checkpoint: Path, tmp_path: Path) -> None:
    other = save(random_stable_diffusion(seed=1), tmp_path, json.dumps({"name": "tiny", "guidance_rescale": 0.7}))
    read = Checkpoint.read(other)
    assert (read.card.name, read.card.native_width, read.guidance_rescale) == ("tiny", 64, 0.7)
    assert read.fingerprint != Checkpoint.read(checkpoint).fingerprint


def test_other_pipelines_are_read_too(tmp_path: Path) -> None:
    assert Checkpoint.read(save(random_stable_diffusion_xl(), tmp_path)).sampler == "Euler"


def test_half_precision_files_alone_are_a_variant(checkpoint: Path, tmp_path: Path) -> None:
    random_stable_diffusion().save_pretrained(tmp_path, variant="fp16")
    assert Checkpoint.read(tmp_path).variant == "fp16"
    assert Checkpoint.read(checkpoint).variant is None


def test_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no model_index\.json"):
        Checkpoint.read(tmp_path)
    (tmp_path / "model_index.json").write_text("[]")
    with pytest.raises(CheckpointError, match="not a JSON object"):
        Checkpoint.read(tmp_path)
    (tmp_path / "model_index.json").write_text("{")
    with pytest.raises(CheckpointError, match="can't be read"):
        Checkpoint.read(tmp_path)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(CheckpointError, match="names no pipeline class"):
        Checkpoint.read(tmp_path)
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(CheckpointError, match="pickled weights are never loaded"):
        Checkpoint.read(tmp_path)
    (tmp_path / "easel.json").write_text('{"name": "No Good"}')
    with pytest.raises(CheckpointError, match=r"easel\.json can't be used: name"):
        Checkpoint.read(tmp_path)
