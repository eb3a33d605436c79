"""What a picture looks like from afar: a perceptual hash that tells copies from pictures that are merely alike.

A data set is of one thing, often on the same background: pictures are meant to be alike. So this asks for more than
the usual 64 bits do: the mean colours of a grid of cells must agree one by one. Another compression or size of the same
picture moves them by a few levels, along hard edges by up to fourteen (measured, JPEG of quality 60); a thing that has
moved by a thirtieth of the picture moves some by far more.
"""

from __future__ import annotations

import base64

CELLS = 12
_MOST_LEVELS = 16
"""A colour value of 255 in a cell may differ by so much,"""
_MOST_LEVELS_ON_AVERAGE = 1.5
"""and all of them by so much in the mean."""


def same_look(one: str, other: str) -> bool:
    """Whether they are likely copies of one picture. Both as `dataset.check` makes them."""
    first, second = base64.b64decode(one), base64.b64decode(other)
    if len(first) != len(second):
        return False
    differences = [abs(a - b) for a, b in zip(first, second, strict=True)]
    return max(differences) <= _MOST_LEVELS and sum(differences) <= _MOST_LEVELS_ON_AVERAGE * len(differences)
