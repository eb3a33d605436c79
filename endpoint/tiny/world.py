"""The world of the miniature model: what can be in a picture, and what people may call it.

A `Scene` is the whole truth about one picture. `draw.py` paints it, `captions.py` says it in words, `oracle.py` checks
a picture against it. Lengths are fractions: `radius` of the picture's shorter side, `x` and `y` of its width and
height.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (222, 48, 52),
    "orange": (248, 142, 32),
    "yellow": (252, 214, 58),
    "green": (62, 168, 84),
    "cyan": (84, 206, 222),
    "blue": (48, 98, 212),
    "purple": (136, 72, 186),
    "pink": (250, 152, 190),
    "brown": (140, 88, 52),
    "black": (30, 30, 36),
    "white": (255, 255, 255),
    "gray": (152, 154, 160),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "ring", "cross", "diamond")
THINGS = ("house", "tree", "boat", "fish", "flower", "sun", "moon", "cloud")
KINDS = SHAPES + THINGS
SIZES = ("small", "medium", "large")
PLACES = ("left", "right", "top", "bottom")
RELATIONS = ("left of", "above")

# Where a caption names no background, it is the first of these that none of the things has: nobody would see a white
# thing on white.
DEFAULT_BACKGROUNDS = ("white", "blue", "black")

# The hard ones for 16x16 latents are drawn more often.
_KIND_WEIGHTS = {"star": 1.7, "diamond": 1.4, "heart": 1.2, "cross": 1.2, "flower": 1.3, "fish": 1.3, "sun": 1.2}
_HELD_OUT_PERCENT = 10
# The colour of a thing whose caption names none; drawn more often than the others, since people ask for it.
NATURAL_COLORS: dict[str, str] = {
    "circle": "red",
    "square": "blue",
    "triangle": "green",
    "star": "yellow",
    "heart": "red",
    "ring": "orange",
    "cross": "red",
    "diamond": "cyan",
    "house": "orange",
    "tree": "green",
    "boat": "red",
    "fish": "orange",
    "flower": "pink",
    "sun": "yellow",
    "moon": "yellow",
    "cloud": "gray",
}


@dataclass(frozen=True)
class Thing:
    """One thing in a picture. `radius` is half of its larger extent, as a fraction of the picture's shorter side."""

    kind: str
    color: str
    size: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Scene:
    """One thing, perhaps at a `place`, or two things in a `relation` (the first is left of / above the second)."""

    things: tuple[Thing, ...]
    background: str
    place: str | None = None
    relation: str | None = None


def default_background(*colors: str) -> str:
    """The background of a picture of things in these (one or two) colours whose caption names none."""
    return next(color for color in DEFAULT_BACKGROUNDS if color not in colors)


def is_held_out(scene: Scene) -> bool:
    """Whether this combination is kept out of training, by a fixed hash of the scene's words (about one in ten).

    The words of a single thing are its colour, kind and background; of two, both colours, both kinds and the relation.
    """
    words = " ".join(f"{thing.color} {thing.kind}" for thing in scene.things)
    words += f" {scene.relation}" if scene.relation else f" on {scene.background}"
    digest = hashlib.blake2b(f"easel tiny: {words}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % 100 < _HELD_OUT_PERCENT


def sample_scene(rng: random.Random, *, two_things: bool, hard: bool = True) -> Scene:
    """A random scene. `hard` draws small things and thin shapes more often."""
    return _sample_two(rng) if two_things else _sample_one(rng, hard)


def _sample_kind(rng: random.Random, hard: bool) -> str:
    weights = [_KIND_WEIGHTS.get(kind, 1.0) if hard else 1.0 for kind in KINDS]
    return rng.choices(KINDS, weights)[0]


def _sample_kind_and_color(rng: random.Random, hard: bool) -> tuple[str, str]:
    kind = _sample_kind(rng, hard)
    return kind, NATURAL_COLORS[kind] if rng.random() < 0.12 else rng.choice(list(COLORS))


def _sample_background(rng: random.Random, *colors: str) -> str:
    if rng.random() < 0.35:
        return default_background(*colors)
    return rng.choice([color for color in COLORS if color not in colors])


def _sample_one(rng: random.Random, hard: bool) -> Scene:
    kind, color = _sample_kind_and_color(rng, hard)
    size = rng.choices(SIZES, (1.4, 1.2, 1.0) if hard else (1, 1, 1))[0]
    place = rng.choice(PLACES) if rng.random() < 0.45 else None
    low, high = {"small": (0.13, 0.155), "medium": (0.225, 0.26), "large": (0.345, 0.395)}[size]
    if place and size == "large":
        low, high = 0.325, 0.345
    radius = rng.uniform(low, high)
    x, y = 0.5 + rng.uniform(-0.03, 0.03), 0.5 + rng.uniform(-0.03, 0.03)
    # Near the edge that the caption names, yet wholly inside.
    edge = max(0.24, radius + 0.015) + rng.uniform(0.0, 0.03)
    if place == "left":
        x = edge
    elif place == "right":
        x = 1 - edge
    elif place == "top":
        y = edge
    elif place == "bottom":
        y = 1 - edge
    return Scene((Thing(kind, color, size, x, y, radius),), _sample_background(rng, color), place=place)


def _sample_two(rng: random.Random) -> Scene:
    first = second = _sample_kind_and_color(rng, True)
    while first == second:
        second = _sample_kind_and_color(rng, True)
    relation = rng.choice(RELATIONS)
    sizes = ["medium", "medium"]
    if rng.random() < 0.3:
        sizes = [rng.choice(SIZES), rng.choice(SIZES)]
    things = []
    for (kind, color), size, along in zip((first, second), sizes, (0.26, 0.74), strict=True):
        low, high = {"small": (0.12, 0.135), "medium": (0.165, 0.19), "large": (0.205, 0.215)}[size]
        # Two large ones leave a gap of 5 pixels in 256 at least: what touches is one thing to whoever looks.
        along, across = along + rng.uniform(-0.015, 0.015), 0.5 + rng.uniform(-0.03, 0.03)
        x, y = (along, across) if relation == "left of" else (across, along)
        things.append(Thing(kind, color, size, x, y, rng.uniform(low, high)))
    return Scene(tuple(things), _sample_background(rng, first[1], second[1]), relation=relation)
