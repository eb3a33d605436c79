"""Judges a picture by its pixels alone: is it the scene that was asked for?

What differs from the background is the foreground. A thing's colour is the nearest palette colour of the pixels where a
drawn reference, laid over it, has its own colour. A thing's kind is the one whose drawn reference, scaled to the same
bounding box, overlaps best. Nothing here knows how the picture was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from endpoint.tiny.draw import draw_scene
from endpoint.tiny.world import COLORS, KINDS, Scene, Thing

_GRID = 48
# A kind must overlap its reference this well (intersection over union), and better than any other kind does.
_MINIMUM_OVERLAP = 0.72
# Distance (in RGB) from the background at which a pixel is foreground, at most; less for colours that are close.
_FOREGROUND_DISTANCE = 60.0
# Within this share of that distance, a part of a drawing may be seen as either.
_DOUBT = 0.4
# Half of the larger extent over the shorter side, between small, medium and large; of two things only the order counts.
_SMALL_BELOW, _LARGE_ABOVE = 0.185, 0.30
_PALETTE = np.array(list(COLORS.values()), np.float32)
_NAMES = list(COLORS)


@dataclass(frozen=True)
class Verdict:
    """What the oracle found. `faults` names what is wrong, in words; empty means right."""

    faults: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the picture shows the scene."""
        return not self.faults


def nearest_color(rgb: np.ndarray) -> str:
    """The name of the palette colour nearest to an RGB value. Lightness counts half: things are lit from above."""
    difference = _PALETTE - np.asarray(rgb, np.float32)
    lightness = difference.mean(axis=1, keepdims=True)
    distance = ((difference - lightness) ** 2).sum(axis=1) + 0.5 * 3 * lightness[:, 0] ** 2
    return _NAMES[int(distance.argmin())]


def judge(picture: np.ndarray, scene: Scene) -> Verdict:
    """Whether a picture (uint8 RGB) shows the scene: background, and each thing's kind, colour, size and place."""
    pixels = picture.astype(np.float32)
    background = _background(pixels)
    if nearest_color(background) != scene.background:
        return Verdict((f"background is {nearest_color(background)}, not {scene.background}",))
    mask = _foreground(pixels, background, scene)
    faults: list[str] = []
    if not scene.relation:
        return Verdict(tuple(_judge_thing(pixels, mask, scene.things[0], scene, alone=True)))
    horizontal = scene.relation == "left of"
    cut = _gap(np.asarray(mask.any(axis=0 if horizontal else 1)))
    if cut is None:
        return Verdict((f"no two things {scene.relation} one another",))
    axis = 1 if horizontal else 0
    halves = zip(np.split(pixels, [cut], axis), np.split(mask, [cut], axis), strict=True)
    for thing, (part, part_mask) in zip(scene.things, halves, strict=True):
        faults += _judge_thing(part, part_mask, thing, scene, alone=False)
    return Verdict(tuple(faults))


def _background(pixels: np.ndarray) -> np.ndarray:
    edge = max(2, min(pixels.shape[:2]) // 64)
    border = [pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:]]
    return np.median(np.concatenate([part.reshape(-1, 3) for part in border]), axis=0)


def _foreground(pixels: np.ndarray, background: np.ndarray, scene: Scene) -> np.ndarray:
    mask = np.linalg.norm(pixels - background, axis=2) > _foreground_distance(scene)
    # A majority of each 5x5 neighbourhood, so that specks don't count.
    padded = np.pad(mask.astype(np.int32), 3)
    sums = padded.cumsum(0).cumsum(1)
    return (sums[5:, 5:] - sums[:-5, 5:] - sums[5:, :-5] + sums[:-5, :-5])[: mask.shape[0], : mask.shape[1]] > 12


def _foreground_distance(scene: Scene) -> float:
    colors = [np.array(COLORS[thing.color], np.float32) for thing in scene.things]
    nearest = min(float(np.linalg.norm(color - COLORS[scene.background])) for color in colors)
    return min(_FOREGROUND_DISTANCE, 0.5 * nearest)


def _gap(occupied: np.ndarray) -> int | None:
    """The middle of the empty stretch that is nearest to the middle, or None where there is none between two things."""
    found = np.flatnonzero(occupied)
    if not len(found):
        return None
    ends = np.flatnonzero(np.diff(found) > 1)
    if not len(ends):
        return None
    middles = (found[ends] + found[ends + 1] + 1) // 2
    return int(middles[np.abs(middles - len(occupied) / 2).argmin()])


def _box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _judge_thing(pixels: np.ndarray, mask: np.ndarray, thing: Thing, scene: Scene, *, alone: bool) -> list[str]:
    name = f"{thing.color} {thing.kind}"
    found = _box(mask)
    if found is None or mask.sum() < 100:
        return [f"no {name}"]
    left, top, right, bottom = found
    faults = []
    shape = _to_grid(mask[top:bottom, left:right])
    overlaps = {kind: _overlap(shape, _reference(kind, thing.color, scene.background)) for kind in KINDS}
    best = max(overlaps, key=lambda kind: overlaps[kind])
    if best != thing.kind or overlaps[best] < _MINIMUM_OVERLAP:
        faults.append(f"{name} looks like a {best} ({overlaps[best]:.2f}, {thing.kind} {overlaps[thing.kind]:.2f})")
    own = _reference(thing.kind, thing.color, scene.background).main
    side = max(right - left, bottom - top)
    patch = Image.fromarray(pixels[top:bottom, left:right].astype(np.uint8)).resize(
        _fitted(right - left, bottom - top, side), Image.Resampling.BOX
    )
    canvas = np.zeros((_GRID, _GRID, 3), np.float32)
    offset_x, offset_y = (_GRID - patch.width) // 2, (_GRID - patch.height) // 2
    canvas[offset_y : offset_y + patch.height, offset_x : offset_x + patch.width] = np.asarray(patch)
    seen = canvas[own & (shape > 0.5)]
    color = nearest_color(np.median(seen, axis=0)) if len(seen) else "hidden"
    if color != thing.color:
        faults.append(f"{name} is {color}")
    if alone:
        faults += _judge_size_and_place(found, mask.shape, thing, scene)
    return faults


def _judge_size_and_place(
    found: tuple[int, int, int, int], shape: tuple[int, ...], thing: Thing, scene: Scene
) -> list[str]:
    left, top, right, bottom = found
    height, width = shape
    faults = []
    extent = max(right - left, bottom - top) / 2 / min(width, height) / _extent(thing.kind)
    size = "small" if extent < _SMALL_BELOW else "large" if extent > _LARGE_ABOVE else "medium"
    if size != thing.size:
        faults.append(f"{thing.kind} is {size}, not {thing.size}")
    x, y = (left + right) / 2 / width - 0.5, (top + bottom) / 2 / height - 0.5
    # Off the middle along the named axis by this much; a large thing has less room.
    off = 0.07 if thing.size == "large" else 0.12
    along, across = (x, y) if scene.place in ("left", "right") else (y, x)
    if scene.place is None:
        holds = abs(x) < 0.1 and abs(y) < 0.1
    else:
        holds = (-along if scene.place in ("left", "top") else along) > off and abs(across) < 0.12
    if not holds:
        faults.append(f"{thing.kind} is at {x + 0.5:.2f}, {y + 0.5:.2f}, not {scene.place or 'in the middle'}")
    return faults


def _fitted(width: int, height: int, side: int) -> tuple[int, int]:
    return max(1, round(width * _GRID / side)), max(1, round(height * _GRID / side))


def _to_grid(mask: np.ndarray) -> np.ndarray:
    """A mask scaled to fill a square grid in its longer direction and centred: values 0 to 1."""
    height, width = mask.shape
    small = Image.fromarray((mask * 255).astype(np.uint8)).resize(
        _fitted(width, height, max(width, height)), Image.Resampling.BOX
    )
    grid = np.zeros((_GRID, _GRID), np.float32)
    x, y = (_GRID - small.width) // 2, (_GRID - small.height) // 2
    grid[y : y + small.height, x : x + small.width] = np.asarray(small, np.float32) / 255
    return grid


@dataclass(frozen=True)
class _Reference:
    """A drawn reference on the grid: its foreground by the same rule as a picture's, where its main colour is, and how
    far each cell counts: not where a light sail on a light background is neither foreground nor background.
    """

    shape: np.ndarray
    main: np.ndarray
    weight: np.ndarray


def _overlap(shape: np.ndarray, reference: _Reference) -> float:
    both = np.minimum(shape, reference.shape) * reference.weight
    either = np.maximum(shape, reference.shape) * reference.weight
    return float(both.sum() / either.sum())


@cache
def _reference(kind: str, color: str, background: str) -> _Reference:
    scene = Scene((Thing(kind, color, "large", 0.5, 0.5, 0.4),), background)
    pixels = draw_scene(scene, 192, 192).astype(np.float32)
    mask = _foreground(pixels, _background(pixels), scene)
    found = _box(mask)
    assert found, f"a {color} {kind} on {background} can't be seen"
    left, top, right, bottom = found
    main = np.linalg.norm(pixels - COLORS[color], axis=2) < 32
    distance = np.linalg.norm(pixels - _background(pixels), axis=2)
    limit = _foreground_distance(scene)
    doubtful = (distance > (1 - _DOUBT) * limit) & (distance < (1 + _DOUBT) * limit)
    return _Reference(
        _to_grid(mask[top:bottom, left:right]),
        _to_grid((main & mask)[top:bottom, left:right]) > 0.9,
        (_to_grid(doubtful[top:bottom, left:right]) < 0.5).astype(np.float32),
    )


@cache
def _extent(kind: str) -> float:
    """Half of the larger extent of a kind whose radius is 1."""
    shape = draw_scene(Scene((Thing(kind, "black", "large", 0.5, 0.5, 0.4),), "white"), 200, 200)
    found = _box(shape.min(axis=2) < 200)
    assert found
    left, top, right, bottom = found
    return max(right - left, bottom - top) / 2 / 200 / 0.4
