"""The miniature model's world: scenes, drawings, captions."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from endpoint.tiny.captions import plain_caption, random_caption, vocabulary
from endpoint.tiny.draw import draw_scene
from endpoint.tiny.figures import figure
from endpoint.tiny.patterns import draw_rich_picture
from endpoint.tiny.world import (
    COLORS,
    KINDS,
    NATURAL_COLORS,
    Scene,
    Thing,
    default_background,
    is_held_out,
    sample_scene,
)


def scenes(count: int, seed: int = 3) -> list[Scene]:
    rng = random.Random(seed)
    return [sample_scene(rng, two_things=number % 2 == 1) for number in range(count)]


def test_the_same_seed_gives_the_same_scenes_captions_and_drawings() -> None:
    first, second = scenes(20), scenes(20)
    assert first == second
    assert [random_caption(s, random.Random(1)) for s in first] == [random_caption(s, random.Random(1)) for s in second]
    assert all(np.array_equal(draw_scene(a), draw_scene(b)) for a, b in zip(first[:6], second[:6], strict=True))
    assert np.array_equal(draw_rich_picture(random.Random(4)), draw_rich_picture(random.Random(4)))


def test_another_seed_gives_other_scenes() -> None:
    assert scenes(20, 3) != scenes(20, 4)


@pytest.mark.parametrize("size", [(256, 256), (320, 208), (208, 320)])
def test_things_stay_inside_the_picture_on_a_background_that_shows_them(size: tuple[int, int]) -> None:
    width, height = size
    for scene in scenes(300):
        colors = {thing.color for thing in scene.things}
        assert scene.background not in colors
        for thing in scene.things:
            reach_x, reach_y = (thing.radius * min(size) / length for length in size)
            assert thing.x - reach_x >= 0 and thing.x + reach_x <= 1, thing
            assert thing.y - reach_y >= 0 and thing.y + reach_y <= 1, thing
    picture = draw_scene(scenes(1)[0], width, height)
    assert picture.shape == (height, width, 3) and picture.dtype == np.uint8


def test_every_kind_fills_its_square_and_no_more() -> None:
    for kind in KINDS:
        points = [point for layer in figure(kind) for polygon in layer.polygons for point in polygon]
        reach = max(max(abs(x), abs(y)) for x, y in points)
        assert 0.9 <= reach <= 1.06, (kind, reach)


def test_captions_use_only_words_that_the_tokenizer_knows() -> None:
    words = set(vocabulary())
    rng = random.Random(5)
    for scene in scenes(1500):
        for caption in (random_caption(scene, rng), plain_caption(scene)):
            assert set(re.findall(r"[a-z]+|[^a-z ]", caption)) <= words, caption


def test_a_caption_leaves_out_only_what_goes_without_saying() -> None:
    rng = random.Random(6)
    for scene in scenes(1500):
        caption = random_caption(scene, rng).replace("grey", "gray")
        words = set(re.findall("[a-z]+", caption))
        for thing in scene.things:
            assert thing.kind in words, caption
            assert thing.color in words or NATURAL_COLORS[thing.kind] == thing.color, caption
            assert thing.size == "medium" or words & {"small", "little", "tiny", "large", "big", "huge"}, caption
        if scene.background not in words:
            assert scene.background == default_background(*(thing.color for thing in scene.things)), caption
        if scene.place:
            assert scene.place in words, caption


def test_a_missing_background_is_white_unless_a_thing_is() -> None:
    assert default_background("red") == "white"
    assert default_background("red", "white") == "blue"
    assert default_background("white", "blue") == "black"


def test_about_one_combination_in_ten_is_held_out_whatever_the_places_and_sizes() -> None:
    found = scenes(4000)
    assert 0.07 < sum(map(is_held_out, found)) / len(found) < 0.13
    one = Scene((Thing("star", "red", "small", 0.2, 0.5, 0.13),), "white", place="left")
    other = Scene((Thing("star", "red", "large", 0.5, 0.5, 0.37),), "white")
    assert is_held_out(one) == is_held_out(other)


def test_the_palette_can_be_told_apart() -> None:
    colors = [np.array(rgb, float) for rgb in COLORS.values()]
    closest = min(np.linalg.norm(a - b) for i, a in enumerate(colors) for b in colors[:i])
    assert closest > 55
