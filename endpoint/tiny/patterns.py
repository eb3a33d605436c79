"""Pictures richer than the world, for the VAE alone.

What the UNet never draws the VAE must still be able to show, since later trainings (a LoRA of a striped circle, say)
build on it: stripes, dots, checks, gradients, outlines, odd polygons, any colour, soft blobs.
"""

from __future__ import annotations

import math
import random

import numpy as np
from PIL import Image

from endpoint.tiny.draw import NATIVE_SIZE, Paint, draw_figure, draw_scene, tone_color
from endpoint.tiny.figures import Layer, Point, Rgb, box, ellipse, figure
from endpoint.tiny.world import COLORS, KINDS, sample_scene


def draw_rich_picture(rng: random.Random, size: int = NATIVE_SIZE) -> np.ndarray:
    """A random square picture, uint8 RGB: half of them from the world, half with what it doesn't have."""
    if rng.random() < 0.5:
        return draw_scene(sample_scene(rng, two_things=rng.random() < 0.5), size, size)
    canvas = _background(rng, size)
    for _ in range(rng.choice((1, 1, 2, 3, 4, 6))):
        _draw_something(rng, canvas)
    return np.round(canvas).clip(0, 255).astype(np.uint8)


def _color(rng: random.Random) -> Rgb:
    if rng.random() < 0.5:
        return rng.choice(list(COLORS.values()))
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))


def _background(rng: random.Random, size: int) -> np.ndarray:
    canvas = np.empty((size, size, 3), np.float32)
    kind = rng.random()
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32)
    if kind < 0.5:
        canvas[:] = _color(rng)
    elif kind < 0.9:
        canvas[:] = _pattern(rng, size)(xs, ys)
    else:
        # Soft blobs: noise enlarged smoothly.
        grid = np.array([[_color(rng) for _ in range(6)] for _ in range(6)], np.uint8)
        canvas[:] = np.asarray(Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC), np.float32)
    return canvas


def _pattern(rng: random.Random, size: int) -> Paint:
    """A two-tone pattern or gradient with soft edges."""
    one, other = np.array(_color(rng), np.float32), np.array(_color(rng), np.float32)
    angle = rng.choice((0.0, math.pi / 2, math.pi / 4, rng.uniform(0, math.pi)))
    period, phase = size * rng.uniform(0.05, 0.25), rng.uniform(0, size)
    kind = rng.choice(("stripes", "stripes", "dots", "checks", "gradient"))
    share = rng.uniform(0.3, 0.7)

    def paint(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        u = xs * math.cos(angle) + ys * math.sin(angle) + phase
        v = ys * math.cos(angle) - xs * math.sin(angle) + phase
        if kind == "gradient":
            mix = (u - phase) / size + 0.5 * (angle > math.pi / 2)
        elif kind == "stripes":
            mix = (np.abs((u / period) % 1 - 0.5) - share / 2) * period + 0.5
        elif kind == "dots":
            du, dv = ((u / period) % 1 - 0.5) * period, ((v / period) % 1 - 0.5) * period
            mix = np.sqrt(du**2 + dv**2) - period * share / 2 + 0.5
        else:
            mix = period * np.sin(math.pi * u / period) * np.sin(math.pi * v / period) / 2 + 0.5
        return one + (other - one) * mix.clip(0, 1)[..., None]

    return paint


def _polygon(rng: random.Random) -> tuple[Point, ...]:
    count = rng.randint(3, 9)
    angles = sorted(rng.uniform(0, 2 * math.pi) for _ in range(count))
    return tuple((r * math.cos(a), r * math.sin(a)) for a in angles for r in (rng.uniform(0.3, 1.0),))


def _draw_something(rng: random.Random, canvas: np.ndarray) -> None:
    size = len(canvas)
    center = (rng.uniform(0.1, 0.9) * size, rng.uniform(0.1, 0.9) * size)
    radius = rng.uniform(0.06, 0.42) * size
    color, name = _color(rng), rng.choice(list(COLORS))
    pattern: Rgb | Paint = _pattern(rng, size) if rng.random() < 0.5 else color
    kind = rng.random()
    if kind < 0.5:
        # A thing of the world, patterned, perhaps turned.
        turn = rng.choice((0.0, 0.0, rng.uniform(0, 2 * math.pi)))
        layers = [_turned(layer, turn) for layer in figure(rng.choice(KINDS))]
        draw_figure(
            canvas, layers, lambda tone: pattern if tone == "main" else tone_color(tone, name, color), center, radius
        )
        return
    outline = (
        ellipse(0, 0, 1, rng.uniform(0.3, 1)),
        box(-1, -0.6, 1, 0.6),
        _polygon(rng),
        figure("star")[0].polygons[0],
    )
    shape = rng.choice(outline)
    layers = [_turned(Layer("main", (shape,)), rng.uniform(0, math.pi))]
    if kind < 0.75:
        # An outline, or one colour within another.
        inner, other = rng.uniform(0.6, 0.93), _color(rng)
        points = tuple(tuple((x * inner, y * inner) for x, y in polygon) for polygon in layers[0].polygons)
        layers.append(Layer("light", points))
        draw_figure(canvas, layers, lambda tone: pattern if tone == "main" else other, center, radius)
    else:
        draw_figure(canvas, layers, lambda tone: pattern, center, radius)


def _turned(layer: Layer, angle: float) -> Layer:
    cos, sin = math.cos(angle), math.sin(angle)
    return Layer(layer.tone, tuple(tuple((x * cos - y * sin, x * sin + y * cos) for x, y in p) for p in layer.polygons))
