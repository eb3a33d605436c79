"""Whole trainings of a tiny random model: what they leave, what they tell, and what an interruption costs (nothing)."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from endpoint.serving.picture_store import PictureStore
from endpoint.training import prior
from endpoint.training import run_training as running
from endpoint.training.base_model import load_base_model
from endpoint.training.failures import Interrupted, TrainingFailed
from endpoint.training.folders import Folders
from endpoint.training.interruption import Interruption
from endpoint.training.run_training import run_training
from endpoint.training.settings import TrainingSettings
from endpoint.training.trainer import Trainer
from endpoint.training_contract import TrainingManifest, TrainingProgress
from tests.fakes.fake_picture_store import FakePictureStore
from tests.fakes.random_checkpoint import random_stable_diffusion, random_stable_diffusion_xl, save
from tests.fakes.training_requests import training_request, write_training

CARD = json.dumps(
    {"name": "random", "native_width": 64, "native_height": 64, "default_steps": 2, "default_guidance_scale": 2}
)
PREFIX = "tenants/t/trainings/trn-mug/"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(random_stable_diffusion(), tmp_path_factory.mktemp("model"), CARD)


def train(
    folders: Folders, store: PictureStore | None = None, interruption: Interruption | None = None
) -> TrainingManifest:
    settings = TrainingSettings(folders, threads=1, checkpoint_seconds=0, progress_seconds=0)
    return run_training(settings, store or FakePictureStore(), interruption or Interruption())


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch, interruption: Interruption) -> None:
    """SIGTERM comes while that step is being taken."""
    take = Trainer.step

    def step_and_ask(trainer: Trainer) -> None:
        take(trainer)
        if len(trainer.losses) == step:
            interruption.ask()

    monkeypatch.setattr(Trainer, "step", step_and_ask)


def losses_in(folders: Folders) -> list[float]:
    newest = sorted(folders.checkpoints.glob("step-*.pt"))[-1]
    losses: list[float] = torch.load(newest, weights_only=True)["losses"]
    return losses


def test_what_it_leaves(model: Path, tmp_path: Path) -> None:
    folders, store = write_training(tmp_path, model, prior_pictures=3, text_encoder=True), FakePictureStore()
    manifest = train(folders, store)
    file = (folders.result / "lora.safetensors").read_bytes()
    assert TrainingManifest.model_validate_json((folders.result / "manifest.json").read_bytes()) == manifest
    assert (manifest.sha256, manifest.bytes) == (hashlib.sha256(file).hexdigest(), len(file))
    assert (manifest.training_id, manifest.rank, manifest.steps, manifest.interruptions) == ("trn-mug", 4, 12, 0)
    assert len(losses_in(folders)) == 12
    with safe_open(folders.result / "lora.safetensors", framework="pt") as opened:
        facts = json.loads(opened.metadata()["easel"])
    assert (facts["base_model"], facts["trigger"], facts["dataset_sha256"]) == (
        "random",
        "zblx",
        manifest.dataset_sha256,
    )
    assert facts["settings"]["rank"] == 4
    assert "number 1" not in json.dumps(facts), "captions are the team's own words"
    for key in (manifest.loss_key, manifest.samples_key):
        with Image.open(io.BytesIO(store.files[f"pictures/{key}"])) as picture:
            assert picture.format == "PNG"


def test_what_it_tells(model: Path, tmp_path: Path) -> None:
    store = FakePictureStore()
    manifest = train(write_training(tmp_path, model), store)
    there: set[str] = set()
    told = []
    for name, body in store.history:
        if name != "progress.json":
            there.add(PREFIX + name)
            continue
        progress = TrainingProgress.model_validate_json(body)
        assert {key for key in (progress.loss_key, progress.samples_key) if key} <= there
        told.append(progress)
    assert [progress.step for progress in told] == sorted(progress.step for progress in told)
    last = told[-1]
    assert (last.phase, last.step, last.steps, last.seconds_left) == ("finishing", 12, 12, 0)
    assert (last.loss_key, last.samples_key) == (manifest.loss_key, manifest.samples_key)
    assert PREFIX + "samples-12.png" in there


def test_a_store_that_refuses_everything_costs_no_training(model: Path, tmp_path: Path) -> None:
    store = FakePictureStore()
    store.refuses = {"progress.json", "loss-12.png", "samples-12.png"}
    manifest = train(write_training(tmp_path, model), store)
    assert manifest.steps == 12
    assert not [name for name, _ in store.history if name == "progress.json"]


@pytest.mark.parametrize("text_encoder", [False, True])
def test_stock_diffusers_paints_what_was_trained(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text_encoder: bool
) -> None:
    folders = write_training(tmp_path, model, text_encoder=text_encoder, learning_rate=1e-2)
    trained: list[Any] = []

    def load(directory: Path) -> Any:
        trained.append(load_base_model(directory))
        return trained[-1]

    monkeypatch.setattr(running, "load_base_model", load)
    train(folders)
    stock: Any = StableDiffusionPipeline.from_pretrained(model, local_files_only=True)
    stock.set_progress_bar_config(disable=True)

    def paint(pipeline: Any) -> torch.Tensor:
        options = {"width": 64, "height": 64, "num_inference_steps": 3, "output_type": "latent"}
        painted: torch.Tensor = pipeline("a zblx", generator=torch.Generator().manual_seed(1), **options).images
        return painted

    before = paint(stock)
    stock.load_lora_weights(folders.result, weight_name="lora.safetensors")
    assert not torch.allclose(paint(stock), before, atol=1e-3)
    torch.testing.assert_close(paint(stock), paint(trained[0].pipeline), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("changes", [{}, {"prior_pictures": 3, "text_encoder": True}])
def test_an_interrupted_training_ends_with_the_same_bytes(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    whole = write_training(tmp_path / "whole", model, **changes)
    train(whole)
    folders, interruption = write_training(tmp_path / "parts", model, **changes), Interruption()
    with monkeypatch.context() as patched:
        interrupt_at(5, patched, interruption)
        with pytest.raises(Interrupted):
            train(folders, interruption=interruption)
    assert len(losses_in(folders)) == 5
    assert not folders.result.exists()
    manifest = train(folders)
    assert manifest.interruptions == 1
    assert losses_in(folders) == losses_in(whole)
    assert (folders.result / "lora.safetensors").read_bytes() == (whole.result / "lora.safetensors").read_bytes()


def test_the_prior_is_painted_once_and_of_everything(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = prior.prior_prompts(training_request(prior_pictures=7))
    assert prompts == ["a mug", *(f"a mug number {at}" for at in range(4)), "", "a mug"]
    named = [{"file": f"{at}.png", "caption": "a ZBLX mug on a shelf"} for at in range(3)]
    prompts = prior.prior_prompts(training_request(prior_pictures=3, pictures=named))
    assert prompts == ["a mug", "a mug on a shelf", ""]
    painted: list[int] = []
    paint = prior._paint

    def count(*arguments: Any) -> list[torch.Tensor]:
        latents = paint(*arguments)
        painted.append(len(latents))
        return latents

    monkeypatch.setattr(prior, "_paint", count)
    folders = write_training(tmp_path, model, prior_pictures=3)
    interruption = Interruption()
    with monkeypatch.context() as patched:
        interrupt_at(2, patched, interruption)
        with pytest.raises(Interrupted):
            train(folders, interruption=interruption)
    with_prior = losses_in(folders)
    (folders.checkpoints / "prior.safetensors").write_bytes(b"cut off")
    train(folders)
    assert painted == [3, 3]
    train(folders)
    assert painted == [3, 3]
    assert losses_in(folders)[:2] == with_prior


def test_a_checkpoint_that_was_cut_off_is_passed_over(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, interruption = write_training(tmp_path, model), Interruption()
    with monkeypatch.context() as patched:
        interrupt_at(6, patched, interruption)
        with pytest.raises(Interrupted):
            train(folders, interruption=interruption)
    older, newest = sorted(folders.checkpoints.glob("step-*.pt"))
    newest.write_bytes(newest.read_bytes()[:1000])
    started: list[int] = []
    take = Trainer.step

    def step(trainer: Trainer) -> None:
        started.append(len(trainer.losses))
        take(trainer)

    monkeypatch.setattr(Trainer, "step", step)
    assert train(folders).steps == 12
    assert (older.name, started[0]) == ("step-000005.pt", 5)


def test_another_trainings_checkpoint_is_left_alone(model: Path, tmp_path: Path) -> None:
    first = write_training(tmp_path / "first", model)
    train(first)
    other = write_training(tmp_path / "other", model, seed=8)
    other.checkpoints.parent.mkdir(parents=True, exist_ok=True)
    first.checkpoints.rename(other.checkpoints)
    train(other)
    fresh = write_training(tmp_path / "fresh", model, seed=8)
    train(fresh)
    assert losses_in(other) == losses_in(fresh)


def test_in_bf16_it_learns_the_same(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU does, as far as a CPU can: the UNet in bf16 under autocast, the LoRA in float32."""
    whole = write_training(tmp_path / "float32", model, text_encoder=True, prior_pictures=2)
    train(whole)

    def load(directory: Path) -> Any:
        base = load_base_model(directory)
        base.unet.to(torch.bfloat16)
        return dataclasses.replace(base, precision=torch.bfloat16)

    monkeypatch.setattr(running, "load_base_model", load)
    folders = write_training(tmp_path / "bfloat16", model, text_encoder=True, prior_pictures=2)
    train(folders)
    assert losses_in(folders) != losses_in(whole)
    assert losses_in(folders) == pytest.approx(losses_in(whole), rel=0.05)
    tensors = load_file(folders.result / "lora.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


def test_the_same_request_gives_the_same_bytes_and_another_seed_others(model: Path, tmp_path: Path) -> None:
    digests = [train(write_training(tmp_path / str(at), model, seed=seed)).sha256 for at, seed in enumerate((7, 7, 8))]
    assert digests[0] == digests[1] != digests[2]


def test_a_loss_that_is_no_number_ends_it(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "_loss", lambda trainer, step: torch.tensor(float("nan")))
    with pytest.raises(TrainingFailed, match="fell apart at step 1: choose a smaller learning rate"):
        train(write_training(tmp_path, model))


def test_models_that_it_cannot_train_are_named(tmp_path: Path) -> None:
    other = save(random_stable_diffusion_xl(), tmp_path / "xl", CARD)
    with pytest.raises(TrainingFailed, match=r"random can't be trained \(StableDiffusionXLPipeline is not"):
        train(write_training(tmp_path / "ml", other))
    damaged = save(random_stable_diffusion(), tmp_path / "damaged", CARD)
    weights = next((damaged / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(TrainingFailed, match="damaged or incomplete"):
        train(write_training(tmp_path / "ml2", damaged))
