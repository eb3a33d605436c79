"""Which limits hold for whom: examples, and a naive model of it that everything must agree with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry, Limits
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usage import day_of, end_of_day
from backend_lambda.usecases.applicable_limits import ApplicableLimits, LimitName, applicable_limits
from tests.fakes.backend import ADA, BOB, MALLORY, NOON
from tests.fakes.limiting import limiting

HERE = replace(ADA, channel="C1", usergroup="S1")


def names_and_counters(limits: ApplicableLimits, caller: Caller = HERE) -> set[tuple[str, str, int]]:
    return {(limit.name.value, limit.counter(caller, NOON), limit.most) for limit in limits.counted}


def test_nothing_is_limited_where_nobody_limits() -> None:
    assert applicable_limits([], HERE, NOON) == ApplicableLimits()
    assert applicable_limits([limiting("channel", "C2", images_per_day=1)], HERE, NOON) == ApplicableLimits()


def test_every_limit_holds_for_its_subject_as_a_whole() -> None:
    entries = [
        limiting("workspace", "T0EASEL", images_per_day=500, jobs_at_once=9),
        limiting("channel", "C1", images_per_day=50),
        limiting("usergroup", "S1", gpu_seconds_per_day=600),
        limiting("member", "U0ADA", images_per_day=7),
    ]
    assert names_and_counters(applicable_limits(entries, HERE, NOON)) == {
        ("images_per_day", "T0EASEL|workspace#T0EASEL|2026-11-23", 500),
        ("images_per_day", "T0EASEL|channel#C1|2026-11-23", 50),
        ("images_per_day", "T0EASEL|member#U0ADA|2026-11-23", 7),
        ("gpu_seconds_per_day", "T0EASEL|usergroup#S1|2026-11-23", 600),
        ("jobs_at_once", "T0EASEL|workspace#T0EASEL|now", 9),
    }


def test_of_those_that_count_each_member_alone_the_most_specific_holds() -> None:
    entries = [
        limiting("channel", "C1", images_per_day=50, each_member=True),
        limiting("workspace", "T0EASEL", images_per_day=20, jobs_at_once=2, each_member=True),
        limiting("workspace", "T0EASEL", images_per_day=500),
    ]
    assert names_and_counters(applicable_limits(entries, HERE, NOON)) == {
        ("images_per_day", "T0EASEL|channel#C1/U0ADA|2026-11-23", 50),
        ("jobs_at_once", "T0EASEL|workspace#T0EASEL/U0ADA|now", 2),
        ("images_per_day", "T0EASEL|workspace#T0EASEL|2026-11-23", 500),
    }


def test_each_member_has_a_counter_and_a_day_of_their_own() -> None:
    entries = [limiting("workspace", "T0EASEL", images_per_day=20, each_member=True)]
    [limit] = applicable_limits(entries, ADA, NOON).counted
    counters = {limit.counter(caller, time) for caller in (ADA, BOB) for time in (NOON, NOON + timedelta(hours=12))}
    assert len(counters) == 4
    assert limit.counter(ADA, NOON + timedelta(hours=11, minutes=59)) == limit.counter(ADA, NOON)


def test_the_day_is_utcs_whatever_the_clocks_zone() -> None:
    late_in_america = datetime.fromisoformat("2026-11-23T20:00:00-08:00")
    assert day_of(late_in_america) == "2026-11-24"
    assert end_of_day(late_in_america) == datetime(2026, 11, 25, tzinfo=UTC)
    assert end_of_day(datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert end_of_day(datetime(2026, 11, 25, tzinfo=UTC)) == datetime(2026, 11, 26, tzinfo=UTC)


def test_the_tightest_ceilings_hold_and_models_must_be_in_every_list() -> None:
    entries = [
        limiting("workspace", "T0EASEL", max_steps=40, max_pixels=9_000, models=["tiny", "sdxl", "flux"]),
        limiting("channel", "C1", max_steps=20, models=["sdxl", "tiny"]),
        limiting("member", "U0ADA", max_steps=20, max_pixels=10_000),
    ]
    limits = applicable_limits(entries, HERE, NOON)
    assert limits.max_steps is not None
    assert limits.max_pixels is not None
    assert limits.models is not None
    assert (limits.max_steps.most, limits.max_steps.by) == (20, SubjectKind.MEMBER)
    assert (limits.max_pixels.most, limits.max_pixels.by) == (9_000, SubjectKind.WORKSPACE)
    assert limits.models.names == ("sdxl", "tiny")
    apart = [*entries, limiting("usergroup", "S1", models=["dalle"])]
    nothing_left = applicable_limits(apart, HERE, NOON).models
    assert nothing_left is not None
    assert nothing_left.names == ()


@pytest.mark.parametrize("caller", [BOB, MALLORY, replace(ADA, channel="C2"), replace(ADA, usergroup="S2")])
def test_limits_of_others_and_other_places_do_not_hold(caller: Caller) -> None:
    entries = [
        limiting("channel", "C1", images_per_day=0),
        limiting("usergroup", "S1", images_per_day=0),
        limiting("member", "U0XXX", images_per_day=0),
        limiting("workspace", "T0XXX", images_per_day=0),
        limiting("org", "E1", images_per_day=0),
    ]
    assert applicable_limits(entries, caller, NOON).counted == ()


def test_the_end_of_a_role_is_no_end_of_its_limits() -> None:
    entries = [limiting("member", "U0ADA", images_per_day=0, ends_at=NOON)]
    before = applicable_limits(entries, ADA, NOON - timedelta(microseconds=1))
    assert before.counted != ()
    assert applicable_limits(entries, ADA, NOON + timedelta(days=400)) == before


# ---------------------------------------------------------------- the naive model

IDS = {"workspace": ["T1", "T2"], "channel": ["C1", "C2"], "usergroup": ["S1"], "member": ["U1", "U2"], "org": ["E1"]}
NUMBERS = st.none() | st.integers(0, 5)
LIMITS = st.builds(
    Limits,
    images_per_day=NUMBERS,
    gpu_seconds_per_day=NUMBERS,
    jobs_at_once=NUMBERS,
    max_pixels=st.none() | st.integers(1, 5),
    max_steps=st.none() | st.integers(1, 5),
    models=st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3),
    each_member=st.booleans(),
)
SUBJECTS = st.sampled_from([(kind, subject) for kind, subjects in IDS.items() for subject in subjects])


@st.composite
def entry_lists(draw: st.DrawFn) -> list[Entry]:
    """At most one entry of each effect for each subject, as the store keeps them."""
    keys = draw(st.lists(st.tuples(st.sampled_from(Effect), SUBJECTS), unique=True, max_size=8))
    ends = st.sampled_from([None, NOON - timedelta(1), NOON, NOON + timedelta(1)])
    return [
        Entry(effect=effect, kind=SubjectKind(kind), id=subject, limits=draw(LIMITS), ends_at=draw(ends), made_at=NOON)
        for effect, (kind, subject) in keys
    ]


CALLERS = st.builds(
    Caller,
    st.sampled_from(["T1", "T2"]),
    st.sampled_from(["U1", "U2"]),
    st.just("arn"),
    st.sampled_from(["", "C1", "C2"]),
    st.sampled_from(["", "S1"]),
)


def meant_by(entries: list[Entry], caller: Caller) -> list[Entry]:
    wanted = {
        ("workspace", caller.tenant),
        ("channel", caller.channel),
        ("usergroup", caller.usergroup),
        ("member", caller.member),
    }
    return [entry for entry in entries if entry.effect == "grant" and (entry.kind.value, entry.id) in wanted]


@settings(deadline=None)
@given(entry_lists(), CALLERS)
def test_as_the_naive_model_says(entries: list[Entry], caller: Caller) -> None:
    found = applicable_limits(entries, caller, NOON)
    meant = meant_by(entries, caller)
    for name in LimitName:
        together = {
            (entry.id, getattr(entry.limits, name), False)
            for entry in meant
            if getattr(entry.limits, name) is not None and not entry.limits.each_member
        }
        alone = None
        for kind in ("workspace", "channel", "usergroup", "member"):
            for entry in meant:
                if entry.kind == kind and entry.limits.each_member and getattr(entry.limits, name) is not None:
                    alone = (entry.id, getattr(entry.limits, name), True)
        expected = together | ({alone} if alone else set())
        counted = [(limit.id, limit.most, limit.each_member) for limit in found.counted if limit.name is name]
        assert len(counted) == len(set(counted))
        assert set(counted) == expected
    for field, ceiling in (("max_pixels", found.max_pixels), ("max_steps", found.max_steps)):
        numbers = [getattr(entry.limits, field) for entry in meant if getattr(entry.limits, field) is not None]
        assert (ceiling.most if ceiling else None) == min(numbers, default=None)
    for model in ("a", "b", "c"):
        is_allowed = all(not entry.limits.models or model in entry.limits.models for entry in meant)
        assert is_allowed == (found.models is None or model in found.models.names)


@settings(deadline=None)
@given(entry_lists(), CALLERS, CALLERS)
def test_no_two_subjects_share_a_counter(entries: list[Entry], one: Caller, other: Caller) -> None:
    def counted(caller: Caller) -> dict[tuple[str, str], tuple[str, ...]]:
        return {
            (limit.name.measure.value, limit.counter(caller, NOON)): (
                caller.tenant,
                limit.kind.value,
                limit.id,
                caller.member if limit.each_member else "",
            )
            for limit in applicable_limits(entries, caller, NOON).counted
        }

    ours, theirs = counted(one), counted(other)
    assert len(ours) == len(applicable_limits(entries, one, NOON).counted)
    for counter in set(ours) & set(theirs):
        assert ours[counter] == theirs[counter]


@settings(deadline=None)
@given(entry_lists(), entry_lists(), CALLERS)
def test_one_more_limit_never_loosens_a_ceiling(entries: list[Entry], more: list[Entry], caller: Caller) -> None:
    before = applicable_limits(entries, caller, NOON)
    after = applicable_limits(entries + more, caller, NOON)
    for field in ("max_pixels", "max_steps"):
        ceiling, tighter = getattr(before, field), getattr(after, field)
        assert ceiling is None or tighter.most <= ceiling.most
    assert before.models is None or (after.models is not None and set(after.models.names) <= set(before.models.names))
