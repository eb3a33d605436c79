"""What `train` reads, and the sentence for each way in which it can't be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from endpoint.training.dataset import dataset_sha256, read_pictures, read_request, training_size
from endpoint.training.failures import TrainingFailed
from endpoint.training.folders import Folders
from endpoint.training.settings import SettingsError, TrainingSettings
from tests.fakes.training_requests import training_fields, training_request, write_training


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return write_training(tmp_path / "ml", tmp_path)


def test_pictures_are_fitted_to_the_resolution(folders: Folders) -> None:
    request = read_request(folders.dataset, folders.hyperparameters)
    shapes = [picture.shape for picture in read_pictures(folders.dataset, request, 16)]
    assert shapes == [(128, 128, 3), (80, 128, 3), (128, 128, 3), (128, 128, 3)]


@pytest.mark.parametrize(
    ("size", "fitted"),
    [((1000, 1000), (512, 512)), ((1000, 500), (512, 256)), ((333, 1000), (160, 512)), ((2000, 10), (512, 32))],
)
def test_sizes_keep_the_shape(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    assert training_size(*size, 512, 32) == fitted


def test_the_digest_is_over_pictures_and_captions_in_order(folders: Folders) -> None:
    request = training_request()
    digest = dataset_sha256(folders.dataset, request)
    assert digest == dataset_sha256(folders.dataset, request)
    pictures = [picture.model_dump() for picture in request.pictures]
    swapped = training_request(pictures=pictures[::-1])
    said = training_request(pictures=[{**pictures[0], "caption": "a zblx"}, *pictures[1:]])
    assert len({digest, dataset_sha256(folders.dataset, swapped), dataset_sha256(folders.dataset, said)}) == 3


def test_a_missing_picture_is_named(folders: Folders) -> None:
    (folders.dataset / "picture-2.png").unlink()
    with pytest.raises(TrainingFailed, match=r"^The picture picture-2\.png can't be read \(it is not there\)"):
        dataset_sha256(folders.dataset, training_request())


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_damaged_picture_is_named(folders: Folders, content: bytes | None) -> None:
    path = folders.dataset / "picture-2.png"
    if content is None:  # cut off in the middle
        Image.effect_noise((96, 96), 80).save(path)
        content = path.read_bytes()[:2000]
    path.write_bytes(content)
    with pytest.raises(TrainingFailed, match=r"picture-2\.png .* damaged"):
        read_pictures(folders.dataset, training_request(), 16)


def test_a_request_that_is_missing_or_wrong(folders: Folders) -> None:
    path = folders.dataset / "training.json"
    path.write_text(json.dumps({**training_fields(), "rank": 0, "surprise": 1}))
    with pytest.raises(TrainingFailed, match="rank, surprise is wrong"):
        read_request(folders.dataset, folders.hyperparameters)
    path.write_text("{")
    with pytest.raises(TrainingFailed, match=r"training\.json is wrong"):
        read_request(folders.dataset, folders.hyperparameters)
    path.unlink()
    with pytest.raises(TrainingFailed, match=r"there is no training\.json"):
        read_request(folders.dataset, folders.hyperparameters)


def test_another_trainings_data_set_is_refused(folders: Folders) -> None:
    folders.hyperparameters.write_text('{"training_id": "trn-other"}')
    with pytest.raises(TrainingFailed, match="belongs to another training"):
        read_request(folders.dataset, folders.hyperparameters)
    # As the SageMaker SDK writes it, and not at all.
    folders.hyperparameters.write_text(json.dumps({"training_id": '"trn-mug"'}))
    assert read_request(folders.dataset, folders.hyperparameters) == training_request()
    folders.hyperparameters.unlink()
    assert read_request(folders.dataset, folders.hyperparameters) == training_request()


def test_settings_name_all_mistakes_at_once() -> None:
    settings = TrainingSettings.from_environment({"SAGEMAKER_BASE_DIR": "/tmp/ml", "EASEL_THREADS": "2"})
    assert settings.folders.result == Path("/tmp/ml/model")
    assert (settings.threads, settings.checkpoint_seconds, settings.progress_seconds) == (2, 30, 5)
    assert TrainingSettings.from_environment({}).folders.checkpoints == Path("/opt/ml/checkpoints")
    with pytest.raises(SettingsError, match=r"EASEL_THREADS is 'many'.*EASEL_PROGRESS_SECONDS is '-1'"):
        TrainingSettings.from_environment({"EASEL_THREADS": "many", "EASEL_PROGRESS_SECONDS": "-1"})
