"""How each kind of thing looks: layers of polygons in its own square, x and y from -1 to 1, y downwards.

A layer has a `tone`: the thing's own colour ("main"), a darker or lighter one of it, or a fixed colour. A layer that is
a "hole" shows the background again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

Point = tuple[float, float]
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """One flat area: the union of its polygons, in one tone."""

    tone: str | Rgb
    polygons: tuple[tuple[Point, ...], ...]


TRUNK: Rgb = (98, 60, 38)
LEAF: Rgb = (34, 112, 62)
INK: Rgb = (34, 34, 44)
POLLEN: Rgb = (255, 206, 70)
WINDOW: Rgb = (255, 236, 160)


@cache
def figure(kind: str) -> tuple[Layer, ...]:
    """The layers of one of `world.KINDS`, back to front. Raises KeyError for anything else."""
    return _FIGURES[kind]()


def ellipse(
    x: float, y: float, rx: float, ry: float | None = None, start: float = 0, end: float = 360
) -> tuple[Point, ...]:
    """An ellipse, or its part between two angles in degrees (0 is to the right, 90 is down)."""
    ry = rx if ry is None else ry
    count = 96
    angles = [math.radians(start + (end - start) * i / count) for i in range(count + (end - start < 360))]
    return tuple((x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles)


def box(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    """An upright rectangle."""
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _burst(points: int, outer: float, inner: float, start: float = -90) -> tuple[Point, ...]:
    angles = [math.radians(start + 180 * i / points) for i in range(2 * points)]
    return tuple(
        ((outer, inner)[i % 2] * math.cos(a), (outer, inner)[i % 2] * math.sin(a)) for i, a in enumerate(angles)
    )


def _circle() -> tuple[Layer, ...]:
    return (Layer("main", (ellipse(0, 0, 1),)),)


def _square() -> tuple[Layer, ...]:
    return (Layer("main", (box(-0.92, -0.92, 0.92, 0.92),)),)


def _triangle() -> tuple[Layer, ...]:
    return (Layer("main", (((0, -0.9), (1, 0.86), (-1, 0.86)),)),)


def _star() -> tuple[Layer, ...]:
    return (Layer("main", (tuple((x, y + 0.06) for x, y in _burst(5, 1.04, 0.46)),)),)


def _heart() -> tuple[Layer, ...]:
    angles = [2 * math.pi * i / 120 for i in range(120)]
    points = tuple(
        (
            math.sin(a) ** 3,
            -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 16 - 0.12,
        )
        for a in angles
    )
    return (Layer("main", (points,)),)


def _ring() -> tuple[Layer, ...]:
    return (Layer("main", (ellipse(0, 0, 1),)), Layer("hole", (ellipse(0, 0, 0.54),)))


def _cross() -> tuple[Layer, ...]:
    return (Layer("main", (box(-0.96, -0.33, 0.96, 0.33), box(-0.33, -0.96, 0.33, 0.96))),)


def _diamond() -> tuple[Layer, ...]:
    return (Layer("main", (((0, -1), (0.74, 0), (0, 1), (-0.74, 0)),)),)


def _house() -> tuple[Layer, ...]:
    return (
        Layer("dark", (box(0.36, -0.86, 0.6, -0.3), ((0, -1), (1, -0.12), (-1, -0.12)))),
        Layer("main", (box(-0.78, -0.14, 0.78, 0.94),)),
        Layer("dark", (box(-0.52, 0.28, -0.08, 0.94),)),
        Layer(WINDOW, (box(0.14, 0.16, 0.56, 0.58),)),
    )


def _tree() -> tuple[Layer, ...]:
    crown = (ellipse(0, -0.5, 0.5), ellipse(-0.42, -0.02, 0.42), ellipse(0.42, -0.02, 0.42), ellipse(0, 0.0, 0.46))
    return (
        Layer(TRUNK, (((-0.15, 0.1), (0.15, 0.1), (0.22, 1), (-0.22, 1)),)),
        Layer("main", crown),
        Layer("light", (ellipse(-0.16, -0.58, 0.17), ellipse(0.36, -0.1, 0.13))),
    )


def _boat() -> tuple[Layer, ...]:
    return (
        Layer("light", (((0.08, -0.96), (0.84, 0.26), (0.08, 0.26)), ((-0.08, -0.66), (-0.08, 0.26), (-0.68, 0.26)))),
        Layer(TRUNK, (box(-0.07, -1, 0.07, 0.5),)),
        Layer("main", (((-1, 0.42), (1, 0.42), (0.62, 0.96), (-0.62, 0.96)),)),
    )


def _fish() -> tuple[Layer, ...]:
    return (
        Layer("dark", (((0.4, 0), (1, -0.56), (0.86, 0), (1, 0.56)), ((-0.35, -0.4), (0.3, -0.72), (0.3, -0.3)))),
        Layer("main", (ellipse(-0.22, 0, 0.78, 0.54),)),
        Layer("light", (ellipse(-0.02, 0.1, 0.2, 0.15),)),
        Layer((255, 255, 255), (ellipse(-0.6, -0.13, 0.15),)),
        Layer(INK, (ellipse(-0.62, -0.13, 0.09),)),
    )


def _flower() -> tuple[Layer, ...]:
    petals = tuple(
        ellipse(0.4 * math.cos(math.radians(a)), -0.34 + 0.4 * math.sin(math.radians(a)), 0.28)
        for a in range(-90, 270, 60)
    )
    leaves = (
        ((0, 0.9), (-0.22, 0.84), (-0.5, 0.5), (-0.2, 0.56)),
        ((0, 0.9), (0.22, 0.84), (0.5, 0.5), (0.2, 0.56)),
    )
    return (
        Layer(LEAF, (box(-0.075, 0, 0.075, 1), *leaves)),
        Layer("main", petals),
        Layer("center", (ellipse(0, -0.34, 0.24),)),
    )


def _sun() -> tuple[Layer, ...]:
    rays = []
    for i in range(8):
        a, half = 2 * math.pi * i / 8 - math.pi / 2, 0.27
        rays.append(
            (
                (math.cos(a), math.sin(a)),
                (0.58 * math.cos(a + half), 0.58 * math.sin(a + half)),
                (0.58 * math.cos(a - half), 0.58 * math.sin(a - half)),
            )
        )
    return (Layer("main", (*rays, ellipse(0, 0, 0.6))),)


def _moon() -> tuple[Layer, ...]:
    outer, inner = ellipse(0, 0, 1, start=-58, end=-302), ellipse(0.42, 0, 0.86, start=100.5, end=259.5)
    return (Layer("main", (tuple((x + 0.2, y) for x, y in (*outer, *inner)),)),)


def _cloud() -> tuple[Layer, ...]:
    puffs = (
        ellipse(-0.58, 0.22, 0.38),
        ellipse(-0.16, -0.12, 0.46),
        ellipse(0.34, 0.0, 0.42),
        ellipse(0.66, 0.26, 0.34),
    )
    return (Layer("main", (*puffs, box(-0.58, 0.1, 0.66, 0.6))),)


_FIGURES = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "ring": _ring,
    "cross": _cross,
    "diamond": _diamond,
    "house": _house,
    "tree": _tree,
    "boat": _boat,
    "fish": _fish,
    "flower": _flower,
    "sun": _sun,
    "moon": _moon,
    "cloud": _cloud,
}
