"""`python -m endpoint train` as a process, as SageMaker starts it, stops it and takes its machine away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from endpoint.training.folders import Folders
from endpoint.training_contract import TrainingManifest, TrainingProgress
from tests.fakes.local_aws import KEY, REGION, ROOT, SECRET, LocalAws, wait_for
from tests.fakes.random_checkpoint import random_stable_diffusion, save
from tests.fakes.training_requests import write_training

CARD = json.dumps({"name": "random", "native_width": 64, "native_height": 64, "default_steps": 2})
PREFIX = "tenants/t/trainings/trn-mug/"
STEPS = 60


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("aws")) as aws:
        aws.client("s3").create_bucket(Bucket="pictures")
        yield aws


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(random_stable_diffusion(), tmp_path_factory.mktemp("model"), CARD)


def start(folders: Folders, **more: str) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "SAGEMAKER_BASE_DIR": str(folders.base),
        "EASEL_THREADS": "1",
        "EASEL_CHECKPOINT_SECONDS": "0",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # Nobody listens there: a training goes on without reports.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
        **more,
    }
    with (folders.base / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "endpoint", "train"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )


def states(folders: Folders) -> list[Path]:
    return sorted(folders.checkpoints.glob("step-*.pt"))


def losses(folders: Folders) -> list[float]:
    kept: list[float] = torch.load(states(folders)[-1], weights_only=True)["losses"]
    return kept


def read_manifest(folders: Folders) -> TrainingManifest:
    return TrainingManifest.model_validate_json((folders.result / "manifest.json").read_bytes())


def test_taken_away_twice_it_ends_as_if_it_never_was(aws: LocalAws, model: Path, tmp_path: Path) -> None:
    whole = write_training(tmp_path / "whole", model, steps=STEPS, sample_every=STEPS)
    undisturbed = start(whole)
    folders = write_training(tmp_path / "parts", model, steps=STEPS, sample_every=STEPS)
    process = start(folders)
    wait_for(lambda: len(states(folders)) > 1, 120)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    assert not folders.result.exists()
    done = len(losses(folders))
    assert 1 <= done < STEPS

    process = start(folders)
    wait_for(lambda: len(losses(folders)) > done, 120)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not folders.failure.exists()
    assert done < len(losses(folders)) < STEPS

    # As on SageMaker, another machine: nothing but the checkpoints comes along.
    elsewhere = write_training(tmp_path / "elsewhere", model, steps=STEPS, sample_every=STEPS)
    shutil.copytree(folders.checkpoints, elsewhere.checkpoints)
    assert start(elsewhere, AWS_ENDPOINT_URL=aws.url).wait(200) == 0
    assert undisturbed.wait(200) == 0
    assert losses(elsewhere) == pytest.approx(losses(whole), rel=1e-5)
    manifest = read_manifest(elsewhere)
    assert manifest.interruptions == 2
    assert manifest.sha256 == read_manifest(whole).sha256

    s3 = aws.client("s3")
    progress = TrainingProgress.model_validate_json(
        s3.get_object(Bucket="pictures", Key=PREFIX + "progress.json")["Body"].read()
    )
    assert (progress.phase, progress.step, progress.loss_key) == ("finishing", STEPS, manifest.loss_key)
    for key in (manifest.loss_key, manifest.samples_key):
        assert s3.head_object(Bucket="pictures", Key=key)["ContentType"] == "image/png"
    lines = [json.loads(line) for line in (elsewhere.base / "log").read_text().splitlines()]
    assert lines[-1]["sha256"] == manifest.sha256
    assert "a zblx" not in (elsewhere.base / "log").read_text(), "captions and prompts are people's words"


def test_each_failure_is_one_sentence(model: Path, tmp_path: Path) -> None:
    def fail(name: str, folders: Folders, **more: str) -> str:
        assert start(folders, **more).wait(120) == 1, name
        sentence = folders.failure.read_text()
        assert sentence.count("\n") == 0
        assert sentence.endswith(".")
        assert not folders.result.exists()
        return sentence

    picture = write_training(tmp_path / "picture", model)
    (picture.dataset / "picture-1.png").write_bytes(b"no picture")
    assert "picture-1.png can't be read" in fail("picture", picture)
    unset = write_training(tmp_path / "unset", model)
    assert "EASEL_THREADS is 'x'" in fail("unset", unset, EASEL_THREADS="x")
    empty = write_training(tmp_path / "empty", tmp_path / "nothing")
    assert "the channel model is empty" in fail("empty", empty)
    other = write_training(tmp_path / "other", tmp_path / "unset")
    assert "no model_index.json" in fail("other", other)


def test_asked_to_stop_while_it_prepares(model: Path, tmp_path: Path) -> None:
    folders = write_training(tmp_path, model, prior_pictures=200)
    process = start(folders)
    wait_for(lambda: (folders.checkpoints / "runs").exists(), 120)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert time.monotonic() - started < 60
    assert states(folders) == []
    assert not folders.failure.exists()
