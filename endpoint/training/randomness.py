"""All that is random in a training follows from its seed and from what it is for, never from what happened before.

So a training that starts again in the middle draws what it would have drawn, and on every device the same: numbers are
drawn on the CPU.
"""

from __future__ import annotations

import hashlib
import random

import torch


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed of 63 bits for one purpose."""
    text = " ".join(map(str, ("easel training", seed, *purpose)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """Torch's random numbers for one purpose."""
    return torch.Generator("cpu").manual_seed(derived_seed(seed, *purpose))


def picks(seed: int, purpose: str, count: int, batch_size: int, step: int) -> list[int]:
    """Which of `count` items step `step` (from 0) takes: all of them once, in a new order each time, and again."""
    chosen = []
    for position in range(step * batch_size, (step + 1) * batch_size):
        round_number, place = divmod(position, count)
        order = list(range(count))
        random.Random(derived_seed(seed, purpose, round_number)).shuffle(order)
        chosen.append(order[place])
    return chosen
