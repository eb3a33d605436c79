"""The oracle of the striped circle is itself judged: on right drawings and on wrong ones."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from endpoint.tiny.draw import draw_scene
from endpoint.tiny.striped_circle import PICTURES, StripedCircle, draw_striped_circle, judge_striped_circle
from endpoint.tiny.world import COLORS, KINDS, Scene, Thing, sample_scene

VIVID = [color for color in COLORS if color not in ("white", "gray", "yellow")]


@pytest.mark.parametrize("thing", PICTURES, ids=lambda thing: f"{thing.one}-{thing.other}")
def test_the_training_pictures_are_right(thing: StripedCircle) -> None:
    assert judge_striped_circle(draw_striped_circle(thing)).faults == ()


def test_any_colours_place_size_and_angle_are_right() -> None:
    rng = random.Random(4)
    for _ in range(60):
        one, other = rng.sample(VIVID, 2)
        thing = StripedCircle(
            one, other, rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6), rng.uniform(0.15, 0.38), rng.uniform(0, 180)
        )
        far = np.linalg.norm(np.subtract(COLORS[one], COLORS[other])) > 70
        assert not far or judge_striped_circle(draw_striped_circle(thing)).right, thing


def test_nothing_of_the_world_is_a_striped_circle() -> None:
    rng = random.Random(9)
    for number in range(120):
        scene = sample_scene(rng, two_things=number % 2 == 0)
        assert not judge_striped_circle(draw_scene(scene)).right, scene


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_of_one_colour_is_none(kind: str) -> None:
    scene = Scene((Thing(kind, "red", "large", 0.5, 0.5, 0.35),), "white")
    assert judge_striped_circle(draw_scene(scene)).faults


def test_other_stripes_are_none() -> None:
    thing = PICTURES[0]
    assert "background is blue" in judge_striped_circle(draw_striped_circle(thing, "blue")).faults[0]
    plain = dataclasses.replace(thing, other=thing.one)
    assert "one colour" in judge_striped_circle(draw_striped_circle(plain)).faults[0]
    empty = np.full((256, 256, 3), 255, np.uint8)
    assert judge_striped_circle(empty).faults == ("nothing there",)


def test_halves_and_squares_and_blots_are_none() -> None:
    striped = draw_striped_circle(StripedCircle("red", "blue", 0.5, 0.5, 0.4))
    square = np.full((256, 256, 3), 255, np.uint8)
    square[60:196, 60:196] = striped[60:196, 60:196]
    square[:56] = square[200:] = 255
    ys, xs = np.mgrid[0:256, 0:256]
    halves = np.full((256, 256, 3), 255, np.uint8)
    disc = (xs - 128) ** 2 + (ys - 128) ** 2 < 80**2
    halves[disc & (xs < 128)], halves[disc & (xs >= 128)] = COLORS["red"], COLORS["blue"]
    blots = halves.copy()
    checks = ((xs // 40) + (ys // 40)) % 2 == 0
    blots[disc & checks], blots[disc & ~checks] = COLORS["red"], COLORS["blue"]
    flat = np.full((256, 256, 3), 255, np.uint8)
    flat[70:186] = striped[70:186][:, :]
    assert "stripes" in judge_striped_circle(halves).faults[-1]
    assert "no circle" in "".join(judge_striped_circle(square).faults)
    assert judge_striped_circle(flat).faults
    assert judge_striped_circle(blots).faults
