"""The loss so far, as a picture for a chat: drawn at twice its size and scaled down, so that lines are smooth."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFont

from endpoint.training.smoothing import smoothed

WIDTH, HEIGHT = 960, 420
_SCALE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 86, 30, 66, 58
_BACKGROUND, _INK, _FAINT, _GRID = (255, 255, 255), (29, 28, 29), (110, 113, 120), (232, 234, 238)
_LINE, _STEPS, _FILL = (74, 84, 225), (196, 201, 245), (240, 241, 253)
_GRID_LINES = 4

_Place = Callable[[float, float], tuple[float, float]]


def draw_loss_plot(losses: Sequence[float], steps: int, title: str) -> bytes:
    """A PNG: each step's loss faintly, the smoothed one boldly, the steps still to come as empty space."""
    image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _BACKGROUND)
    pen = ImageDraw.Draw(image)
    averages = smoothed(losses, steps)
    top = _ceiling(losses, averages)

    def place(step: float, loss: float) -> tuple[float, float]:
        across = (WIDTH - _LEFT - _RIGHT) * step / max(1, steps)
        up = (HEIGHT - _TOP - _BOTTOM) * min(1.0, loss / top)
        return (_LEFT + across) * _SCALE, (HEIGHT - _BOTTOM - up) * _SCALE

    _axes(pen, steps, top, place)
    points = [place(number + 1, loss) for number, loss in enumerate(losses)]
    line = [place(number + 1, loss) for number, loss in enumerate(averages)]
    if len(line) > 1:
        floor = place(0, 0)[1]
        pen.polygon([(line[0][0], floor), *line, (line[-1][0], floor)], fill=_FILL)
        _grid(pen, steps, top, place)
        pen.line(points, fill=_STEPS, width=_SCALE, joint="curve")
        pen.line(line, fill=_LINE, width=3 * _SCALE, joint="curve")
    if line:
        x, y = line[-1]
        for radius, color in ((7 * _SCALE, _BACKGROUND), (5 * _SCALE, _LINE)):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    _text(pen, (_LEFT - 58, 20), title, 21, _INK, "la")
    if averages:
        said = f"step {len(losses):,} of {steps:,} · loss {averages[-1]:.3g}"
        _text(pen, (WIDTH - _RIGHT, 23), said, 17, _FAINT, "ra")
    file = io.BytesIO()
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(file, "PNG", optimize=True)
    return file.getvalue()


def _ceiling(losses: Sequence[float], averages: Sequence[float]) -> float:
    """The axis's end: nearly all steps fit, and single outliers don't press the rest to the floor."""
    if not losses:
        return 1.0
    ordered = sorted(losses)
    highest = max(ordered[min(len(ordered) - 1, int(len(ordered) * 0.97))], max(averages) * 1.1, 1e-9)
    power = 10.0 ** math.floor(math.log10(highest / _GRID_LINES))
    ticks = (power * factor for factor in (1, 2, 2.5, 5, 10))
    return _GRID_LINES * next(tick for tick in ticks if tick * _GRID_LINES >= highest)


def _axes(pen: ImageDraw.ImageDraw, steps: int, top: float, place: _Place) -> None:
    _grid(pen, steps, top, place)
    for number in range(_GRID_LINES + 1):
        loss = top * number / _GRID_LINES
        x, y = place(0, loss)
        _text(pen, (x / _SCALE - 12, y / _SCALE), f"{loss:.3g}", 15, _FAINT, "rm")
    for number in range(_GRID_LINES + 1):
        step = round(steps * number / _GRID_LINES)
        x, y = place(step, 0)
        _text(pen, (x / _SCALE, y / _SCALE + 12), f"{step:,}", 15, _FAINT, "ma")


def _grid(pen: ImageDraw.ImageDraw, steps: int, top: float, place: _Place) -> None:
    for number in range(_GRID_LINES + 1):
        loss = top * number / _GRID_LINES
        pen.line((place(0, loss), place(steps, loss)), fill=_FAINT if number == 0 else _GRID, width=_SCALE)


def _text(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, color: tuple[int, int, int], anchor: str
) -> None:
    pen.text((at[0] * _SCALE, at[1] * _SCALE), text, color, ImageFont.load_default(size * _SCALE), anchor)
