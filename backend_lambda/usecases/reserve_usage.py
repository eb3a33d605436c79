"""What a job reserves of the limits that hold for it."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from backend_lambda.callers import Caller
from backend_lambda.contract.jobs import Settings
from backend_lambda.usage import Count, Measure, Reservation, expiry_of_day
from backend_lambda.usecases.applicable_limits import ApplicableLimits, CountedLimit

FIRST_PACE = 0.25
"""Seconds for one step of one picture of a million pixels, until an endpoint has done its first job: about what Stable
Diffusion takes on the smaller GPUs (one A10G paints 512 x 512 in 30 steps within two seconds)."""

LEAST_SECONDS = 0.25
"""Of every job, however small: encoding the prompt, decoding and storing. Without it a burst of the smallest jobs would
reserve next to nothing, and use more than there is."""


def steps_of_megapixels(settings: Settings) -> float:
    """How much work the pictures are: one step of one picture of a million pixels is 1."""
    return len(settings.seeds) * settings.steps * settings.width * settings.height / 1_000_000


def reserve(
    limits: ApplicableLimits, caller: Caller, settings: Settings, pace: float | None, now: datetime
) -> list[tuple[CountedLimit, Reservation]]:
    """A reservation for each limit that is counted. `pace` as in `CatalogEntry`."""
    seconds = LEAST_SECONDS + steps_of_megapixels(settings) * (FIRST_PACE if pace is None else pace)
    amounts = {Measure.IMAGES: len(settings.seeds), Measure.GPU_MS: ceil(seconds * 1_000), Measure.JOBS: 1}
    return [
        (
            limit,
            Reservation(
                Count(limit.counter(caller, now), limit.name.measure, amounts[limit.name.measure]),
                most=limit.most * limit.name.unit,
                expires_at=expiry_of_day(now) if limit.name.is_daily else None,
            ),
        )
        for limit in limits.counted
    ]
