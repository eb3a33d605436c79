"""Files that people add to a form of trainings: good pictures, and every kind that is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw


def picture(number: int, width: int = 96, height: int = 96) -> Image.Image:
    """One of many that differ."""
    image = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 8, width - 8 - number % 20, height - 8 - number % 30), fill=(number * 37 % 256, 90, 200))
    draw.line((0, number % height, width, height - 1 - number % height), fill=(0, 0, 0), width=3)
    return image


def png(number: int, width: int = 96, height: int = 96) -> bytes:
    """The same as a file."""
    return _saved(picture(number, width, height), "PNG")


def write_pictures(folder: Path, count: int, first: int = 0) -> list[Path]:
    """So many different good ones: `good-0.png`, …"""
    paths = [folder / f"good-{number}.png" for number in range(first, first + count)]
    for number, path in enumerate(paths, start=first):
        path.write_bytes(png(number))
    return paths


def _animated() -> bytes:
    stream = io.BytesIO()
    frames = [picture(number) for number in (1, 50, 90)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def _saved(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "words.png": (lambda: b"only words in here, and no picture at all", "is not a picture that Easel can read"),
    "cut.png": (lambda: png(7, 300, 300)[:-600], "is cut off"),
    "moving.gif": (_animated, "is animated"),
    "stamp.png": (lambda: png(8, 40, 40), "is too small"),
    "ribbon.png": (lambda: png(9, 400, 80), "is too narrow"),
    "bomb.png": (lambda: _saved(Image.new("L", (9_000, 9_000)), "PNG"), "has more than 40 million pixels"),
    "same.png": (lambda: png(0), "shows the same as"),
}
"""File name: its bytes, and what is said of it. `same.png` equals `good-0.png`."""


def write_bad(folder: Path, name: str) -> Path:
    """One of `BAD`."""
    path = folder / name
    path.write_bytes(BAD[name][0]())
    return path
