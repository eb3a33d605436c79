"""Losses of single steps jump with their timesteps; people want to see where they are going."""

from __future__ import annotations

from collections.abc import Sequence

_HALF_LIFE_SHARE = 0.04
_ENDS_SHARE = 0.1


def smoothed(losses: Sequence[float], steps: int) -> list[float]:
    """The exponential moving average, unbiased from the first value on; its half-life is a share of all `steps`."""
    decay = 0.5 ** (1 / max(1.0, steps * _HALF_LIFE_SHARE))
    total, weight, averages = 0.0, 0.0, []
    for loss in losses:
        total, weight = decay * total + loss, decay * weight + 1
        averages.append(total / weight)
    return averages


def ends(losses: Sequence[float]) -> tuple[float, float]:
    """The means over the first and the last tenth. There must be a loss."""
    count = max(1, round(len(losses) * _ENDS_SHARE))
    return sum(losses[:count]) / count, sum(losses[-count:]) / count
