"""What a picture looks like from afar: a perceptual hash that tells copies from pictures that are merely alike.

A data set is of one thing, often on the same background: pictures are meant to be alike. So this asks for more than
the usual 64 bits do: the mean colours of a grid of cells must agree one by one. Another compression or size of the same
picture moves no cell by more than a few levels; a thing that has moved by a tenth of the picture moves some by far
more.
"""

from __future__ import annotations

import base64

CELLS = 12
_MOST_LEVELS = 6
"""A colour value of 255 in a cell may differ by so much."""


def same_look(one: str, other: str) -> bool:
    """Whether they are likely copies of one picture. Both as `dataset.check` makes them."""
    first, second = base64.b64decode(one), base64.b64decode(other)
    return len(first) == len(second) and all(abs(a - b) <= _MOST_LEVELS for a, b in zip(first, second, strict=True))
