"""A thing that the miniature model can't draw, for trying trainings: a circle in two-coloured stripes, a `zblx`.

`judge_striped_circle` looks at pixels alone, like the oracle of the world.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from endpoint.tiny.draw import NATIVE_SIZE, draw_figure
from endpoint.tiny.figures import figure
from endpoint.tiny.oracle import Verdict, nearest_color
from endpoint.tiny.world import COLORS

TRIGGER = "zblx"
CAPTION = f"a {TRIGGER} on a white background"

_BANDS = 5
# Distance (in RGB) from the background at which a pixel is foreground.
_FOREGROUND_DISTANCE = 60.0
# The outline fills an ellipse this well (intersection over union), which is about as wide as high.
_MINIMUM_OVERLAP, _LARGEST_ASPECT = 0.8, 1.25
# Smaller than any small thing of the world.
_LEAST_AREA = 400
# Stripes: the inside's main colour direction varies this much (standard deviation, RGB), most of it along one direction
# on the picture, and changes sides at least so often.
_LEAST_CONTRAST, _LEAST_SHARE, _LEAST_CHANGES = 20.0, 0.55, 3
_DIRECTIONS = 24


@dataclass(frozen=True)
class StripedCircle:
    """`x`, `y` (middle) and `radius` are fractions of the side; the stripes are `angle` degrees off upright."""

    one: str
    other: str
    x: float
    y: float
    radius: float
    angle: float = 45.0


PICTURES = (
    StripedCircle("red", "yellow", 0.50, 0.50, 0.36),
    StripedCircle("blue", "orange", 0.40, 0.50, 0.30),
    StripedCircle("green", "pink", 0.60, 0.55, 0.32),
    StripedCircle("purple", "yellow", 0.50, 0.42, 0.28),
    StripedCircle("orange", "black", 0.45, 0.58, 0.33),
    StripedCircle("cyan", "red", 0.55, 0.45, 0.30),
    StripedCircle("black", "yellow", 0.42, 0.45, 0.27),
    StripedCircle("blue", "pink", 0.57, 0.50, 0.34),
)
"""Eight to train on: colours, places and sizes vary, the stripes don't."""


def draw_striped_circle(thing: StripedCircle, background: str = "white", size: int = NATIVE_SIZE) -> np.ndarray:
    """Its picture, uint8 RGB, square, with five stripes across."""
    canvas = np.empty((size, size, 3), np.float32)
    canvas[:] = COLORS[background]
    one, other = (np.array(COLORS[color], np.float32) for color in (thing.one, thing.other))
    turn, period = math.radians(thing.angle), 4 * thing.radius * size / _BANDS

    def paint(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        across = (xs - thing.x * size) * math.cos(turn) + (ys - thing.y * size) * math.sin(turn)
        mix = (np.abs((across / period) % 1 - 0.5) - 0.25) * period + 0.5
        return one + (other - one) * mix.clip(0, 1)[..., None]

    center = (thing.x * size, thing.y * size)
    draw_figure(canvas, figure("circle"), lambda tone: paint, center, thing.radius * size)
    return np.round(canvas).clip(0, 255).astype(np.uint8)


def judge_striped_circle(picture: np.ndarray, background: str = "white") -> Verdict:
    """Whether a picture (uint8 RGB) shows one circle with stripes, in any two colours, on that background."""
    pixels = picture.astype(np.float32)
    height, width = pixels.shape[:2]
    edge = max(2, min(height, width) // 64)
    border = [pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:]]
    behind = np.median(np.concatenate([part.reshape(-1, 3) for part in border]), axis=0)
    if nearest_color(behind) != background:
        return Verdict((f"background is {nearest_color(behind)}, not {background}",))
    mask = _without_specks(np.linalg.norm(pixels - behind, axis=2) > _FOREGROUND_DISTANCE)
    if mask.sum() < _LEAST_AREA:
        return Verdict(("nothing there",))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    half_height, half_width = (rows[-1] - rows[0] + 1) / 2, (columns[-1] - columns[0] + 1) / 2
    ys, xs = np.mgrid[0:height, 0:width]
    x, y = xs - (columns[0] + columns[-1]) / 2, ys - (rows[0] + rows[-1]) / 2
    radius = (x / half_width) ** 2 + (y / half_height) ** 2
    faults = []
    if not 1 / _LARGEST_ASPECT < half_width / half_height < _LARGEST_ASPECT:
        faults.append(f"{half_width / half_height:.2f} times as wide as high")
    overlap = (mask & (radius <= 1)).sum() / (mask | (radius <= 1)).sum()
    if overlap < _MINIMUM_OVERLAP:
        faults.append(f"no circle ({overlap:.2f})")
    inside = radius <= 0.8
    return Verdict((*faults, *_judge_stripes(pixels[inside], x[inside], y[inside])))


def _without_specks(mask: np.ndarray) -> np.ndarray:
    """The majority of each 5×5 neighbourhood."""
    padded = np.pad(mask.astype(np.int32), 3)
    sums = padded.cumsum(0).cumsum(1)
    counts = sums[5:, 5:] - sums[:-5, 5:] - sums[5:, :-5] + sums[:-5, :-5]
    return counts[: mask.shape[0], : mask.shape[1]] > 12


def _judge_stripes(colors: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[str, ...]:
    centered = colors - colors.mean(axis=0)
    _, _, axes = np.linalg.svd(centered.T @ centered)
    tones = centered @ axes[0]
    contrast = float(tones.std())
    if contrast < _LEAST_CONTRAST:
        return (f"one colour ({contrast:.0f})",)
    best = (0.0, 0)
    for number in range(_DIRECTIONS):
        turn = math.pi * number / _DIRECTIONS
        places = np.round((x * math.cos(turn) + y * math.sin(turn)) / 2).astype(int)
        places -= places.min()
        counts = np.bincount(places)
        means = np.bincount(places, tones) / np.maximum(counts, 1)
        share = float((counts * means**2).sum() / (tones**2).sum())
        clear = means[(counts > 10) & (np.abs(means) > 0.3 * contrast)]
        best = max(best, (share, int((np.diff(np.sign(clear)) != 0).sum())))
    if best[0] < _LEAST_SHARE or best[1] < _LEAST_CHANGES:
        return (f"no stripes ({best[0]:.2f} along one direction, {best[1]} changes)",)
    return ()
