"""Which entry decides: compared with a naive model, and what must hold whatever was granted, denied, revoked, ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.access import Effect, Entry, Guardrail, Limits, standing
from backend_lambda.contract.actions import Action
from backend_lambda.contract.decision import Decision, Who, decide
from backend_lambda.contract.subjects import SubjectKind

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ROLES = ("arn:aws:iam::1:role/artist", "arn:aws:iam::1:role/admin", None)
SUBJECTS = [
    *((SubjectKind.ORG, name) for name in ("E1", "E2")),
    *((SubjectKind.WORKSPACE, name) for name in ("T1", "T2")),
    *((SubjectKind.CHANNEL, name) for name in ("C1", "C2")),
    *((SubjectKind.USERGROUP, name) for name in ("S1", "S2", "S3")),
    *((SubjectKind.MEMBER, name) for name in ("U1", "U2")),
]


@dataclass(frozen=True)
class Step:
    """Something that happens to the entries: put (again), or removed; then time passes."""

    effect: Effect
    kind: SubjectKind
    id: str
    is_removal: bool = False
    role_arn: str | None = None
    is_limiting: bool = False
    has_guardrail: bool = False
    lasts_hours: int | None = None
    hours_pass: int = 0


STEPS = st.lists(
    st.builds(
        lambda subject, **more: Step(kind=subject[0], id=subject[1], **more),
        subject=st.sampled_from(SUBJECTS),
        effect=st.sampled_from([Effect.GRANT, Effect.GRANT, Effect.DENY]),
        is_removal=st.integers(0, 3).map(lambda number: number == 0),
        role_arn=st.sampled_from(ROLES),
        is_limiting=st.booleans(),
        has_guardrail=st.booleans(),
        lasts_hours=st.none() | st.integers(-2, 5),
        hours_pass=st.integers(0, 3),
    ),
    max_size=14,
)
PEOPLE = st.builds(
    Who,
    workspace=st.just("T1"),
    member=st.sampled_from(["U1", "U2", "U3"]),
    channel=st.sampled_from(["", "C1", "C2"]),
    org=st.sampled_from(["", "E1"]),
    usergroups=st.frozensets(st.sampled_from(["S1", "S2", "S3"])),
    is_external=st.booleans(),
)


def entry(step: Step, made_at: datetime) -> Entry:
    is_grant = step.effect is Effect.GRANT
    rail = is_grant and step.kind is SubjectKind.CHANNEL and step.has_guardrail
    return Entry(
        effect=step.effect,
        kind=step.kind,
        id=step.id,
        role_arn=step.role_arn if is_grant else None,
        limits=Limits(images_per_day=5 if is_grant and step.is_limiting else None, each_member=True),
        guardrail=Guardrail(actions=[Action.PAINT]) if rail else None,
        made_at=made_at,
        ends_at=None if step.lasts_hours is None else made_at + timedelta(hours=step.lasts_hours),
    )


def play(steps: Sequence[Step]) -> tuple[list[Entry], datetime]:
    """The entries as they are stored after all that, and the time it is then."""
    stored: dict[str, Entry] = {}
    now = NOON
    for step in steps:
        made = entry(step, now)
        if step.is_removal:
            stored.pop(made.key, None)
        else:
            stored[made.key] = made
        now += timedelta(hours=step.hours_pass, seconds=1)
    return list(stored.values()), now


def naive(steps: Sequence[Step], who: Who) -> tuple[str, str | None]:
    """`("denied", None)`, `("none", None)` or `("role", arn)`, from the history itself, read backwards."""
    times = [NOON]
    for step in steps:
        times.append(times[-1] + timedelta(hours=step.hours_pass, seconds=1))
    now = times[-1]

    def holds(effect: Effect, kind: SubjectKind, name: str) -> tuple[Step, datetime] | None:
        for number in reversed(range(len(steps))):
            step = steps[number]
            if (step.effect, step.kind, step.id) == (effect, kind, name):
                if step.is_removal:
                    return None
                if step.lasts_hours is not None and now >= times[number] + timedelta(hours=step.lasts_hours):
                    return None
                return step, times[number]
        return None

    places = [
        [(SubjectKind.MEMBER, who.member)],
        [(SubjectKind.USERGROUP, group) for group in sorted(who.usergroups)],
        [(SubjectKind.CHANNEL, who.channel)] if who.channel else [],
        [(SubjectKind.WORKSPACE, who.workspace)],
        [(SubjectKind.ORG, who.org)] if who.org else [],
    ]
    for level in places:
        for kind, name in level:
            if holds(Effect.DENY, kind, name):
                return "denied", None
    for level in places[:1] if who.is_external else places:
        found = [held for kind, name in level if (held := holds(Effect.GRANT, kind, name)) and held[0].role_arn]
        if found:
            return "role", min(found, key=lambda held: held[1])[0].role_arn
    return "none", None


def outcome(decision: Decision[Entry]) -> tuple[str, str | None]:
    if decision.deny is not None:
        assert decision.grant is None
        return "denied", None
    if decision.grant is None:
        return "none", None
    return "role", decision.grant.role_arn


@settings(deadline=None)
@given(steps=STEPS, who=PEOPLE)
def test_no_history_gives_other_than_the_naive_model(steps: list[Step], who: Who) -> None:
    stored, now = play(steps)
    for order in (stored, stored[::-1], sorted(stored, key=lambda rule: rule.key)):
        assert outcome(decide(order, who, now)) == naive(steps, who)


@settings(deadline=None)
@given(steps=STEPS, who=PEOPLE)
def test_who_is_allowed_holds_a_role_that_counts_and_means_them_and_no_deny(steps: list[Step], who: Who) -> None:
    stored, now = play(steps)
    decision = decide(stored, who, now)
    mine = {"org": {who.org}, "workspace": {who.workspace}, "channel": {who.channel}, "member": {who.member}}
    mine["usergroup"] = set(who.usergroups)
    for rule in stored:
        if rule.effect is Effect.DENY and not rule.has_ended(now) and rule.id in mine[rule.kind]:
            assert not decision.is_allowed
            assert decision.deny is not None
    if decision.grant is not None:
        assert decision.grant in stored
        assert decision.grant.role_arn is not None
        assert not decision.grant.has_ended(now)
        assert decision.grant.id in mine[decision.grant.kind]
        assert not who.is_external or (decision.grant.kind, decision.grant.id) == (SubjectKind.MEMBER, who.member)


@settings(deadline=None)
@given(steps=STEPS, who=PEOPLE, pick=st.integers(0, 20))
def test_taking_away_a_grant_never_lets_in_past_a_deny(steps: list[Step], who: Who, pick: int) -> None:
    stored, now = play(steps)
    denied = decide(stored, who, now).deny
    if denied is None or not stored:
        return
    gone = stored[pick % len(stored)]
    rest = [rule for rule in stored if rule is not gone]
    mine = {who.org, who.workspace, who.channel, who.member, *who.usergroups}
    if any(rule.effect is Effect.DENY and not rule.has_ended(now) and rule.id in mine for rule in rest):
        assert not decide(rest, who, now).is_allowed


@settings(deadline=None)
@given(steps=STEPS, who=PEOPLE, extra=STEPS)
def test_another_deny_only_ever_takes_away(steps: list[Step], who: Who, extra: list[Step]) -> None:
    stored, now = play(steps)
    before = decide(stored, who, now)
    denies = [entry(replace(step, effect=Effect.DENY), now) for step in extra]
    after = decide([*stored, *denies], who, now)
    assert after.grant is None or after.grant == before.grant


@settings(deadline=None)
@given(steps=STEPS, who=PEOPLE, hours=st.integers(0, 50))
def test_what_has_ended_is_as_if_it_had_never_been(steps: list[Step], who: Who, hours: int) -> None:
    stored, now = play(steps)
    later = now + timedelta(hours=hours)
    before, after = decide(stored, who, later), decide(standing(stored, later), who, later)
    assert (before.grant, before.deny, before.usergroup) == (after.grant, after.deny, after.usergroup)
    assert (before.guardrail and before.guardrail.key) == (after.guardrail and after.guardrail.key)


@settings(deadline=None)
@given(steps=STEPS, who=PEOPLE)
def test_what_is_about_others_is_never_looked_at(steps: list[Step], who: Who) -> None:
    stored, now = play(steps)
    mine = {who.org, who.workspace, who.channel, who.member, *who.usergroups}
    assert decide(stored, who, now) == decide([rule for rule in stored if rule.id in mine], who, now)


@settings(deadline=None)
@given(steps=STEPS, who=PEOPLE)
def test_a_channels_guardrail_holds_whoever_comes_and_whichever_grant_decides(steps: list[Step], who: Who) -> None:
    stored, now = play(steps)
    guardrail = decide(stored, who, now).guardrail
    rails = [r for r in stored if r.guardrail is not None and r.id == who.channel]
    assert ([guardrail] if guardrail else []) == rails


@settings(deadline=None)
@given(steps=STEPS, who=PEOPLE)
def test_the_sessions_usergroup_is_one_of_theirs_and_the_deciding_ones_first(steps: list[Step], who: Who) -> None:
    stored, now = play(steps)
    decision = decide(stored, who, now)
    limiting = {
        rule.id
        for rule in stored
        if rule.kind is SubjectKind.USERGROUP
        and rule.effect is Effect.GRANT
        and rule.id in who.usergroups
        and rule.limits.images_per_day is not None
    }
    granting = decision.grant.id if decision.grant and decision.grant.kind is SubjectKind.USERGROUP else ""
    if granting and (granting in limiting or not limiting):
        assert decision.usergroup == granting
    elif limiting:
        assert decision.usergroup in limiting
    else:
        assert decision.usergroup == ""


def test_of_several_usergroups_the_one_granted_first_decides() -> None:
    rules = [
        entry(Step(Effect.GRANT, SubjectKind.USERGROUP, "S1", role_arn=ROLES[0]), NOON + timedelta(hours=1)),
        entry(Step(Effect.GRANT, SubjectKind.USERGROUP, "S2", role_arn=ROLES[1]), NOON),
    ]
    decision = decide(rules, Who("T1", "U1", usergroups=["S1", "S2"]), NOON + timedelta(days=1))
    assert (decision.usergroup, decision.grant) == ("S2", rules[1])


def test_a_groups_limits_hold_beside_another_groups_role() -> None:
    interns = entry(Step(Effect.GRANT, SubjectKind.USERGROUP, "S1", is_limiting=True), NOON)
    designers = entry(Step(Effect.GRANT, SubjectKind.USERGROUP, "S2", role_arn=ROLES[0]), NOON)
    decision = decide([designers, interns], Who("T1", "U1", usergroups=["S1", "S2"]), NOON)
    assert (decision.grant, decision.usergroup) == (designers, "S1")


def test_the_end_of_a_role_leaves_limits_and_guardrail() -> None:
    channel = entry(
        Step(Effect.GRANT, SubjectKind.CHANNEL, "C1", role_arn=ROLES[0], has_guardrail=True, lasts_hours=1), NOON
    )
    default = entry(Step(Effect.GRANT, SubjectKind.WORKSPACE, "T1", role_arn=ROLES[1]), NOON)
    decision = decide([channel, default], Who("T1", "U1", channel="C1"), NOON + timedelta(hours=2))
    assert (decision.grant, decision.guardrail) == (default, channel)


def test_an_entry_without_a_role_only_limits() -> None:
    default = entry(Step(Effect.GRANT, SubjectKind.WORKSPACE, "T1", role_arn=ROLES[0]), NOON)
    limit = entry(Step(Effect.GRANT, SubjectKind.MEMBER, "U1", is_limiting=True), NOON)
    assert decide([default, limit], Who("T1", "U1"), NOON).grant == default
    assert decide([limit], Who("T1", "U1"), NOON).is_allowed is False


@pytest.mark.parametrize("kind", list(SubjectKind))
def test_an_empty_id_is_nobodys(kind: SubjectKind) -> None:
    rule = entry(Step(Effect.GRANT, kind, "X", role_arn=ROLES[0]), NOON).model_copy(update={"id": ""})
    assert decide([rule], Who("", "", usergroups=[""]), NOON).is_allowed is False


def test_it_is_plain_python() -> None:
    code = "import sys, backend_lambda.contract.decision; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
