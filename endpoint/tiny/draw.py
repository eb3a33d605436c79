"""Paints a `Scene`: flat picture-book colours, soft edges, a slight light from above. Nothing is random here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from endpoint.tiny.figures import Layer, Rgb, figure
from endpoint.tiny.world import COLORS, Scene, Thing

NATIVE_SIZE = 256
_OVERSAMPLING = 4
# How much lighter the top and darker the bottom of a thing is.
_SHADE = 0.07

Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]


def draw_scene(scene: Scene, width: int = NATIVE_SIZE, height: int = NATIVE_SIZE) -> np.ndarray:
    """The picture of a scene: uint8 RGB, shape (height, width, 3)."""
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = COLORS[scene.background]
    for thing in scene.things:
        draw_thing(canvas, thing, COLORS[scene.background])
    return np.round(canvas).clip(0, 255).astype(np.uint8)


def draw_thing(canvas: np.ndarray, thing: Thing, background: Rgb) -> None:
    """Paints one thing onto a float32 RGB canvas, in place."""
    height, width = canvas.shape[:2]
    draw_figure(
        canvas,
        figure(thing.kind),
        tone_of=lambda tone: tone_color(tone, thing.color, background),
        center=(thing.x * width, thing.y * height),
        radius=thing.radius * min(width, height),
    )


def draw_figure(
    canvas: np.ndarray,
    layers: Sequence[Layer],
    tone_of: Callable[[str | Rgb], Rgb | Paint],
    center: tuple[float, float],
    radius: float,
) -> None:
    """Paints layers onto a float32 RGB canvas, in place. `center` and `radius` are in pixels.

    `tone_of` gives a layer's colour, or a function of the pixels' x and y that gives a colour for each.
    """
    height, width = canvas.shape[:2]
    left, top = max(0, math.floor(center[0] - radius) - 2), max(0, math.floor(center[1] - radius) - 2)
    right, bottom = min(width, math.ceil(center[0] + radius) + 2), min(height, math.ceil(center[1] + radius) + 2)
    if right <= left or bottom <= top:
        return
    ys, xs = np.mgrid[top:bottom, left:right].astype(np.float32)
    light = (1 - _SHADE * (ys - center[1]) / max(radius, 1))[..., None]
    for layer in layers:
        mask = Image.new("L", ((right - left) * _OVERSAMPLING, (bottom - top) * _OVERSAMPLING), 0)
        pen = ImageDraw.Draw(mask)
        for polygon in layer.polygons:
            pen.polygon(
                [
                    ((center[0] + radius * x - left) * _OVERSAMPLING, (center[1] + radius * y - top) * _OVERSAMPLING)
                    for x, y in polygon
                ],
                fill=255,
            )
        alpha = np.asarray(mask.reduce(_OVERSAMPLING), np.float32)[..., None] / 255
        tone = tone_of(layer.tone)
        color = tone(xs, ys) if callable(tone) else np.asarray(tone, np.float32)
        if layer.tone != "hole":
            color = (color * light).clip(0, 255)
        area = canvas[top:bottom, left:right]
        area += alpha * (color - area)


def tone_color(tone: str | Rgb, color: str, background: Rgb) -> Rgb:
    """The colour of a layer's tone for a thing of a named colour on a background."""
    if not isinstance(tone, str):
        return tone
    if tone == "hole":
        return background
    if tone == "center":
        # A flower's centre, unlike its petals.
        return (150, 92, 40) if color in ("yellow", "orange", "brown") else (255, 206, 70)
    red, green, blue = COLORS[color]
    if tone == "dark":
        return _mix(
            (red, green, blue), (86, 86, 96) if color == "black" else (20, 20, 40), 0.5 if color == "black" else 0.36
        )
    if tone == "light":
        return _mix((red, green, blue), (170, 176, 190) if color == "white" else (255, 255, 255), 0.45)
    return (red, green, blue)


def _mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return (red, green, blue)
