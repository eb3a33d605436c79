"""The committed weights: small, loadable by stock diffusers, and able to follow prompts."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from endpoint.tiny.draw import draw_scene
from endpoint.tiny.evaluate import Question, answer
from endpoint.tiny.oracle import judge, nearest_color
from endpoint.tiny.pipeline import MODEL_DIR, load
from endpoint.tiny.vae import to_tensor
from endpoint.tiny.world import Scene, Thing, sample_scene

_LIMIT_BYTES = 15_000_000


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    return load()


def test_the_weights_are_small_and_in_half_precision() -> None:
    files = [path for path in MODEL_DIR.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= _LIMIT_BYTES
    assert len([path for path in files if path.suffix == ".safetensors"]) == 3
    assert not [path for path in files if path.suffix in (".bin", ".pt", ".pkl")]
    for part in ("unet", "vae", "text_encoder"):
        stored = next((MODEL_DIR / part).glob("*.safetensors")).read_bytes()
        header = json.loads(stored[8 : 8 + int.from_bytes(stored[:8], "little")])
        assert {entry["dtype"] for name, entry in header.items() if name != "__metadata__"} <= {"F16", "I64"}


def test_what_a_server_needs_to_know_fits_the_model(pipeline: StableDiffusionPipeline) -> None:
    facts = json.loads((MODEL_DIR / "easel.json").read_text())
    assert (
        facts["native_width"] == facts["native_height"] == pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    )
    assert facts["size_multiple"] == pipeline.vae_scale_factor
    assert facts["default_steps"] <= facts["max_steps"]


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("a large red circle on a white background", Scene((Thing("circle", "red", "large", 0, 0, 0),), "white")),
        ("small blue star, yellow background", Scene((Thing("star", "blue", "small", 0, 0, 0),), "yellow")),
        ("a green tree on the left", Scene((Thing("tree", "green", "medium", 0, 0, 0),), "white", place="left")),
        (
            "a red circle left of a blue square",
            Scene(
                (Thing("circle", "red", "medium", 0, 0, 0), Thing("square", "blue", "medium", 0, 0, 0)),
                "white",
                relation="left of",
            ),
        ),
    ],
)
def test_it_follows_prompts(pipeline: StableDiffusionPipeline, prompt: str, scene: Scene) -> None:
    ((_, picture),) = answer(pipeline, [Question(prompt, scene, seed=2)], (256, 256))
    assert judge(picture, scene).faults == ()


@pytest.mark.parametrize("color", ["yellow", "green", "purple", "white"])
def test_the_background_follows_the_prompt(pipeline: StableDiffusionPipeline, color: str) -> None:
    scene = Scene((Thing("heart", "red", "medium", 0, 0, 0),), color)
    ((_, picture),) = answer(pipeline, [Question(f"a red heart on a {color} background", scene, seed=3)], (256, 256))
    corners = np.concatenate([picture[:24, :24], picture[-24:, -24:]]).reshape(-1, 3)
    assert nearest_color(np.median(corners, axis=0)) == color


def test_the_same_seed_gives_the_same_picture_and_another_another(pipeline: StableDiffusionPipeline) -> None:
    scene = Scene((Thing("boat", "red", "medium", 0, 0, 0),), "cyan")
    first, again, other = (
        next(answer(pipeline, [Question("a red boat on a cyan background", scene, seed)], (256, 256), steps=4))[1]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_another_size_comes_out_in_that_size(pipeline: StableDiffusionPipeline) -> None:
    scene = Scene((Thing("fish", "orange", "medium", 0, 0, 0),), "blue")
    ((_, picture),) = answer(pipeline, [Question("an orange fish on a blue background", scene, 1)], (384, 256), steps=4)
    assert picture.shape == (256, 384, 3)


def test_the_vae_keeps_drawings_right(pipeline: StableDiffusionPipeline) -> None:
    rng = random.Random(12)
    scenes = [sample_scene(rng, two_things=number % 2 == 1) for number in range(16)]
    pictures = to_tensor(np.stack([draw_scene(scene) for scene in scenes]))
    with torch.no_grad():
        decoded = pipeline.vae.decode(pipeline.vae.encode(pictures).latent_dist.mean).sample
    back = ((decoded.permute(0, 2, 3, 1).numpy() + 1) * 127.5).clip(0, 255).round().astype(np.uint8)
    wrong = [faults for scene, picture in zip(scenes, back, strict=True) if (faults := judge(picture, scene).faults)]
    assert len(wrong) <= 1, wrong
    for scene, picture in zip(scenes[1::2], back[1::2], strict=True):
        exchanged = Scene(scene.things[::-1], scene.background, relation=scene.relation)
        assert not judge(picture, exchanged).right
