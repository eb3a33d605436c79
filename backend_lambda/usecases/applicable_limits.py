"""Which limits hold for somebody somewhere. Pure: entries, who asks and the time in; limits out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry, standing
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usage import NOW, Measure, counter_of, day_of


class LimitName(StrEnum):
    """The limits that are counted, by the names of their fields in `contract.access.Limits`."""

    IMAGES_PER_DAY = "images_per_day"
    GPU_SECONDS_PER_DAY = "gpu_seconds_per_day"
    JOBS_AT_ONCE = "jobs_at_once"

    @property
    def measure(self) -> Measure:
        """What is counted for it."""
        return _MEASURES[self]

    @property
    def unit(self) -> int:
        """How many of the measure make one of the limit's."""
        return 1_000 if self is LimitName.GPU_SECONDS_PER_DAY else 1

    @property
    def is_daily(self) -> bool:
        """Whether it begins anew every day."""
        return self is not LimitName.JOBS_AT_ONCE


_MEASURES = {
    LimitName.IMAGES_PER_DAY: Measure.IMAGES,
    LimitName.GPU_SECONDS_PER_DAY: Measure.GPU_MS,
    LimitName.JOBS_AT_ONCE: Measure.JOBS,
}


@dataclass(frozen=True)
class CountedLimit:
    """At most `most` (in the limit's own unit) for the subject: together, or with `each_member` for each alone."""

    name: LimitName
    kind: SubjectKind
    id: str
    each_member: bool
    most: int

    def counter(self, caller: Caller, now: datetime) -> str:
        """Where it is counted for this caller at this time."""
        subject = f"{self.kind.value}#{self.id}"
        return counter_of(
            caller.tenant,
            f"{subject}/{caller.member}" if self.each_member else subject,
            day_of(now) if self.name.is_daily else NOW,
        )


@dataclass(frozen=True)
class Ceiling:
    """A number that a request may not exceed, and whose entry says so."""

    most: int
    by: SubjectKind


@dataclass(frozen=True)
class AllowedModels:
    """The endpoints that may be asked, by name; none where the entries' lists have nothing in common."""

    names: tuple[str, ...]
    by: tuple[SubjectKind, ...]


@dataclass(frozen=True)
class ApplicableLimits:
    """Everything that holds at once. None doesn't limit."""

    counted: tuple[CountedLimit, ...] = ()
    max_pixels: Ceiling | None = None
    max_steps: Ceiling | None = None
    models: AllowedModels | None = None


def applicable_limits(entries: Iterable[Entry], caller: Caller, now: datetime) -> ApplicableLimits:
    """The limits of every grant that is about the caller or where they are; they don't end with the grant's role.

    Each counted limit holds for its subject; but of several of the same name that count each member alone, only the
    most specific entry's does. Of sizes, steps and models, the tightest of all hold. An organisation's entries are no
    tenant's, and never match.
    """
    meant = sorted(
        (entry for entry in standing(entries, now) if _is_meant(entry, caller)),
        key=lambda entry: entry.kind.specificity,
    )
    return ApplicableLimits(
        counted=tuple(limit for name in LimitName for limit in _counted(name, meant)),
        max_pixels=_lowest((entry.limits.max_pixels, entry.kind) for entry in meant),
        max_steps=_lowest((entry.limits.max_steps, entry.kind) for entry in meant),
        models=_models(meant),
    )


def _is_meant(entry: Entry, caller: Caller) -> bool:
    ids = {
        SubjectKind.WORKSPACE: caller.tenant,
        SubjectKind.CHANNEL: caller.channel,
        SubjectKind.USERGROUP: caller.usergroup,
        SubjectKind.MEMBER: caller.member,
    }
    # Nothing matches an empty id: no channel, no user group.
    return entry.effect is Effect.GRANT and bool(entry.id) and ids.get(entry.kind) == entry.id


def _counted(name: LimitName, meant: list[Entry]) -> list[CountedLimit]:
    found = [
        CountedLimit(name, entry.kind, entry.id, entry.limits.each_member, most)
        for entry in meant
        if (most := getattr(entry.limits, name.value)) is not None
    ]
    each = [limit for limit in found if limit.each_member]
    return [limit for limit in found if not limit.each_member or limit is each[-1]]


def _lowest(numbers: Iterable[tuple[int | None, SubjectKind]]) -> Ceiling | None:
    found = [Ceiling(most, by) for most, by in numbers if most is not None]
    return min(found, key=lambda ceiling: (ceiling.most, -ceiling.by.specificity), default=None)


def _models(meant: list[Entry]) -> AllowedModels | None:
    lists = [(entry.limits.models, entry.kind) for entry in meant if entry.limits.models]
    if not lists:
        return None
    names = set(lists[0][0]).intersection(*(models for models, _ in lists))
    return AllowedModels(tuple(sorted(names)), tuple(kind for _, kind in lists))
