"""All pictures of a job in one, for places that show a single picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from endpoint.serving.paint_job import Pixels

_WIDE = 1.4


def grid_shape(count: int, width: int, height: int) -> tuple[int, int]:
    """Columns and rows: 2 × 2 for four; else a row, or a column where a row of wide pictures would be a thin strip."""
    if count == 4:
        return 2, 2
    return (1, count) if width > _WIDE * height else (count, 1)


def make_grid(pictures: Sequence[Pixels]) -> Pixels:
    """Equal pictures row by row, with white gutters between them."""
    height, width, _ = pictures[0].shape
    columns, rows = grid_shape(len(pictures), width, height)
    gutter = max(2, min(width, height) // 64)
    grid = np.full(
        (rows * height + (rows - 1) * gutter, columns * width + (columns - 1) * gutter, 3), 255, dtype=np.uint8
    )
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * (height + gutter), (index % columns) * (width + gutter)
        grid[top : top + height, left : left + width] = picture
    return grid
