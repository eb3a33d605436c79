"""What a picture file says about itself."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from endpoint.contract import ModelCard
from endpoint.serving.checkpoint import Checkpoint
from endpoint.serving.grid import grid_shape, make_grid
from endpoint.serving.png import Origin, encode_png
from tests.fakes.generate_requests import a_request

CARD = ModelCard(
    name="tiny",
    title="Tiny",
    native_width=64,
    native_height=64,
    size_multiple=8,
    default_steps=4,
    default_guidance_scale=3,
    max_steps=50,
    max_pixels=128 * 128,
)
ORIGIN = Origin(
    Checkpoint(Path(), "StableDiffusionPipeline", CARD, 0.0, None, "DDIM", "0123456789"), {"diffusers": "0.42.1"}
)
PIXELS = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8)


def read(body: bytes) -> tuple[np.ndarray, dict[str, str]]:
    image = Image.open(io.BytesIO(body))
    return np.asarray(image), dict(image.info)


def test_keeps_every_pixel_and_says_how_it_was_made() -> None:
    request = a_request(prompt="a red circle", negative_prompt="fog", steps=20, guidance_scale=7.5)
    pixels, info = read(encode_png(PIXELS, request, [7], ORIGIN))
    assert np.array_equal(pixels, PIXELS)
    assert info["parameters"] == (
        "a red circle\nNegative prompt: fog\nSteps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 7, Size: 64x64, "
        "Model hash: 0123456789, Model: tiny, Version: easel 0.1.0"
    )
    facts = json.loads(info["easel"])
    assert facts["seeds"] == [7]
    assert facts["guidance_scale"] == 7.5
    assert facts["job_id"] == "job-1"
    assert facts["model"] == "tiny"
    assert facts["software"] == {"easel": "0.1.0", "diffusers": "0.42.1"}
    assert "bucket" not in info["easel"]


def test_names_its_loras_as_image_tools_do_and_not_where_they_are() -> None:
    loras = [
        {
            "name": name,
            "bucket": "secret",
            "key": "tenants/t/loras/1",
            "sha256": digit * 64,
            "bytes": 9,
            "weight": weight,
        }
        for name, digit, weight in (("mascot", "a", 0.8), ("ink-style", "b", -1))
    ]
    _, info = read(encode_png(PIXELS, a_request(prompt="a circle", negative_prompt="fog", loras=loras), [7], ORIGIN))
    lines = info["parameters"].split("\n")
    assert lines[:2] == ["a circle <lora:mascot:0.8> <lora:ink-style:-1>", "Negative prompt: fog"]
    assert json.loads(info["easel"])["prompt"] == "a circle"
    assert json.loads(info["easel"])["loras"] == [
        {"name": "mascot", "sha256": "a" * 64, "weight": 0.8},
        {"name": "ink-style", "sha256": "b" * 64, "weight": -1.0},
    ]
    assert "secret" not in info["easel"]
    _, without = read(encode_png(PIXELS, a_request(), [7], ORIGIN))
    assert "lora" not in without["easel"] + without["parameters"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_any_prompt_survives(prompt: str) -> None:
    _, info = read(encode_png(PIXELS, a_request(prompt=prompt), [7], ORIGIN))
    assert json.loads(info["easel"])["prompt"] == prompt
    assert info["parameters"].startswith(prompt.replace("\0", "\ufffd") + "\nSteps: 4")


def test_the_same_picture_has_the_same_bytes() -> None:
    assert encode_png(PIXELS, a_request(), [7], ORIGIN) == encode_png(PIXELS.copy(), a_request(), [7], ORIGIN)


def test_grid_names_all_seeds() -> None:
    _, info = read(encode_png(PIXELS, a_request(seeds=[1, 2]), [1, 2], ORIGIN))
    assert "Seed: 1, " in info["parameters"]
    assert 'Seeds: "1, 2"' in info["parameters"]
    assert json.loads(info["easel"])["seeds"] == [1, 2]


@pytest.mark.parametrize(
    ("count", "width", "height", "shape"),
    [
        (2, 64, 64, (2, 1)),
        (2, 64, 128, (2, 1)),
        (2, 128, 64, (1, 2)),
        (3, 64, 64, (3, 1)),
        (3, 128, 72, (1, 3)),
        (4, 64, 64, (2, 2)),
        (4, 128, 64, (2, 2)),
    ],
)
def test_grid_shows_every_picture_with_white_between(
    count: int, width: int, height: int, shape: tuple[int, int]
) -> None:
    assert grid_shape(count, width, height) == shape
    pictures = [np.full((height, width, 3), 10 * (index + 1), dtype=np.uint8) for index in range(count)]
    grid = make_grid(pictures)
    columns, rows = shape
    assert grid.shape == (rows * height + 2 * (rows - 1), columns * width + 2 * (columns - 1), 3)
    for index in range(count):
        top, left = (index // columns) * (height + 2), (index % columns) * (width + 2)
        assert (grid[top : top + height, left : left + width] == 10 * (index + 1)).all()
    painted = sum(int((grid == 10 * (index + 1)).all(axis=2).sum()) for index in range(count))
    white = int((grid == 255).all(axis=2).sum())
    assert painted + white == grid.shape[0] * grid.shape[1]
