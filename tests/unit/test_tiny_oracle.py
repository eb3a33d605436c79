"""The oracle that judges the miniature model is itself judged: on right drawings and on wrong ones."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from endpoint.tiny.draw import draw_scene
from endpoint.tiny.oracle import judge, nearest_color
from endpoint.tiny.world import COLORS, KINDS, Scene, Thing, sample_scene


def some_scenes(count: int, *, two_things: bool) -> list[Scene]:
    rng = random.Random(f"oracle {two_things}")
    return [sample_scene(rng, two_things=two_things) for _ in range(count)]


def changed(scene: Scene, **changes: object) -> Scene:
    """The scene with its first thing changed."""
    return dataclasses.replace(scene, things=(dataclasses.replace(scene.things[0], **changes), *scene.things[1:]))


@pytest.mark.parametrize("two_things", [False, True])
def test_drawings_are_right(two_things: bool) -> None:
    scenes = some_scenes(60, two_things=two_things)
    wrong = [(scene, faults) for scene in scenes if (faults := judge(draw_scene(scene), scene).faults)]
    assert not wrong


@pytest.mark.parametrize("two_things", [False, True])
def test_another_color_kind_or_background_is_wrong(two_things: bool) -> None:
    rng = random.Random(8)
    for scene in some_scenes(40, two_things=two_things):
        thing = scene.things[0]
        color = rng.choice([color for color in COLORS if color not in (thing.color, scene.background)])
        kind = rng.choice([kind for kind in KINDS if kind != thing.kind])
        taken = (scene.background, *(thing.color for thing in scene.things))
        background = rng.choice([color for color in COLORS if color not in taken])
        for other in (
            changed(scene, color=color),
            changed(scene, kind=kind),
            dataclasses.replace(scene, background=background),
        ):
            assert not judge(draw_scene(other), scene).right, (other, scene)


@pytest.mark.parametrize("size", [(256, 256), (320, 208)])
def test_a_mirrored_place_is_wrong(size: tuple[int, int]) -> None:
    for scene in some_scenes(120, two_things=False):
        if not scene.place:
            continue
        picture = draw_scene(scene, *size)
        assert judge(picture, scene).right, scene
        axis = 1 if scene.place in ("left", "right") else 0
        # The mirrored caption, not the mirrored picture: a mirrored moon or fish would be wrong for its shape already.
        mirror = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[scene.place]
        assert not judge(picture, dataclasses.replace(scene, place=mirror)).right, (scene, axis)


def test_exchanged_things_are_wrong() -> None:
    for scene in some_scenes(40, two_things=True):
        exchanged = dataclasses.replace(scene, things=scene.things[::-1])
        assert not judge(draw_scene(scene), exchanged).right, scene


def test_another_size_is_wrong() -> None:
    small = Scene((Thing("heart", "red", "small", 0.5, 0.5, 0.14),), "white")
    large = changed(small, size="large", radius=0.36)
    assert judge(draw_scene(small), small).right
    assert not judge(draw_scene(small), large).right
    assert not judge(draw_scene(large), small).right


def test_an_empty_picture_noise_and_one_thing_of_two_are_wrong() -> None:
    scene = Scene(
        (Thing("star", "red", "medium", 0.26, 0.5, 0.18), Thing("tree", "green", "medium", 0.74, 0.5, 0.18)), "white"
    )
    scene = dataclasses.replace(scene, relation="left of")
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    for picture in (
        np.full((256, 256, 3), 255, np.uint8),
        noise,
        draw_scene(dataclasses.replace(scene, things=scene.things[:1])),
    ):
        assert not judge(picture, scene).right


def test_palette_colors_are_themselves_lit_or_shaded() -> None:
    for name, rgb in COLORS.items():
        for light in (0.95, 1.0, 1.05):
            assert nearest_color((np.array(rgb) * light).clip(0, 255)) == name
