"""Changing who may do what: the use cases, over the fake store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.access_ports import OwnRole
from backend_lambda.callers import Caller, RoleStanding
from backend_lambda.contract.access import (
    MAX_ENTRIES,
    Effect,
    Entry,
    Guardrail,
    Limits,
    PutDeny,
    PutGrant,
    PutWords,
)
from backend_lambda.contract.actions import Action
from backend_lambda.contract.decision import Who, decide
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.role_register import REMEMBERED, RoleRegister
from backend_lambda.stack_roles import stack_roles
from backend_lambda.usecases.blocked_words import put_words, read_words
from backend_lambda.usecases.change_access import KEYS_REMEMBERED
from backend_lambda.usecases.first_admin import ensure_first_admin
from backend_lambda.usecases.list_audit import list_audit
from backend_lambda.usecases.list_entries import list_entries
from backend_lambda.usecases.put_deny import put_deny
from backend_lambda.usecases.put_grant import put_grant
from backend_lambda.usecases.refusals import (
    AccessConflict,
    FieldRefused,
    GuardrailTooLong,
    LastAdmin,
    NotAllowed,
    Refusal,
)
from backend_lambda.usecases.remove_entry import remove_entry
from tests.fakes.backend import ADA, MALLORY, NOON, FakeBackend
from tests.fakes.backend_access import API_ARN, STACK_ROLES

T = ADA.tenant
OWN_ARN = "arn:aws:iam::210987654321:role/easel/art/painters"
IAM = Caller("iam-123456789012-ci", "build-7", "arn:aws:sts::123456789012:assumed-role/ci/build-7")
MEMBER, CHANNEL, USERGROUP, WORKSPACE = (
    SubjectKind.MEMBER,
    SubjectKind.CHANNEL,
    SubjectKind.USERGROUP,
    SubjectKind.WORKSPACE,
)


class Access:
    """The use cases over a fake backend."""

    def __init__(self) -> None:
        self.backend = FakeBackend()
        self.ports = self.backend.access_ports

    def grant(
        self, kind: SubjectKind, name: str, *, caller: Caller = ADA, once: str | None = None, **request: Any
    ) -> Entry:
        return put_grant(
            caller,
            kind,
            name,
            PutGrant(**request),
            stack_roles=STACK_ROLES,
            api_arn=API_ARN,
            ports=self.ports,
            once=once,
        )

    def deny(
        self, kind: SubjectKind, name: str, *, caller: Caller = ADA, once: str | None = None, **request: Any
    ) -> Entry:
        return put_deny(caller, kind, name, PutDeny(**request), self.ports, once)

    def remove(
        self, effect: str, kind: SubjectKind, name: str, caller: Caller = ADA, once: str | None = None
    ) -> Entry | None:
        return remove_entry(caller, Effect(effect), kind, name, self.ports, once)

    def entries(self, caller: Caller = ADA) -> list[Entry]:
        return list_entries(caller, self.ports).entries

    def audit(self, caller: Caller = ADA) -> list[Any]:
        return list_audit(caller, self.ports, limit=50, position=None, member=None).entries


@pytest.fixture
def access() -> Access:
    return Access()


def test_a_grant_is_kept_with_who_made_it_and_recorded(access: Access) -> None:
    caller = replace(ADA, channel="C0ADMINS")
    limits = Limits(images_per_day=50)
    end = NOON + timedelta(days=2)
    said = {"role": "artist", "limits": limits, "reason": "new here", "ends_at": end}
    made = access.grant(MEMBER, "U0BOB", caller=caller, **said)
    assert made == Entry(
        effect=Effect.GRANT,
        kind=MEMBER,
        id="U0BOB",
        role="artist",
        role_arn=STACK_ROLES["artist"],
        limits=limits,
        ends_at=end,
        reason="new here",
        made_by="U0ADA",
        made_at=NOON,
    )
    assert access.entries() == [made]
    [record] = access.audit()
    assert (record.member, record.principal, record.place) == ("U0ADA", ADA.arn, "C0ADMINS")
    assert (record.action, record.subject, record.before) == ("put_grant", "member#U0BOB", None)
    assert Entry.model_validate(record.after) == made


def test_doing_it_again_changes_nothing(access: Access) -> None:
    for _ in range(3):
        access.grant(CHANNEL, "C1", role="artist")
        access.backend.clock.go_on(timedelta(minutes=1))
    for _ in range(3):
        access.deny(MEMBER, "U0EVE", reason="spam")
        access.backend.clock.go_on(timedelta(minutes=1))
        put_words(ADA, PutWords(words=["boat"]), access.ports)
        access.backend.clock.go_on(timedelta(minutes=1))
    assert [entry.made_at for entry in access.entries() if entry.effect is Effect.GRANT] == [NOON]
    assert access.remove("grant", CHANNEL, "C1") is not None
    assert access.remove("grant", CHANNEL, "C1") is None
    assert access.remove("deny", CHANNEL, "C1") is None
    actions = [record.action for record in reversed(access.audit())]
    assert actions == ["put_grant", "put_deny", "put_words", "remove_grant"]


def test_a_record_says_what_was_there_before(access: Access) -> None:
    access.grant(CHANNEL, "C1", role="artist")
    access.backend.clock.go_on(timedelta(minutes=1))
    access.grant(CHANNEL, "C1", role="trainer")
    access.backend.clock.go_on(timedelta(minutes=1))
    access.remove("grant", CHANNEL, "C1")
    removed, changed, made = access.audit()
    assert (changed.before, changed.after["role"]) == (made.after, "trainer")
    assert (removed.before, removed.after) == (changed.after, None)


def test_a_change_of_limits_leaves_who_granted_the_role_first(access: Access) -> None:
    access.grant(USERGROUP, "S1", role="artist")
    access.backend.clock.go_on(timedelta(hours=1))
    bob = replace(ADA, member="U0BOB")
    assert access.grant(USERGROUP, "S1", caller=bob, role="artist", limits=Limits(images_per_day=5)).made_at == NOON
    changed = access.grant(USERGROUP, "S1", caller=bob, role="trainer")
    assert (changed.made_at, changed.made_by) == (NOON + timedelta(hours=1), "U0BOB")
    access.grant(USERGROUP, "S2", role="artist", ends_at=NOON + timedelta(hours=2))
    access.backend.clock.go_on(timedelta(hours=3))
    assert access.grant(USERGROUP, "S2", role="artist").made_at == NOON + timedelta(hours=4)


@pytest.mark.parametrize(
    ("kind", "name", "request_", "field"),
    [
        (WORKSPACE, "T0OTHER", {"role": "artist"}, "id"),
        (SubjectKind.ORG, "E1", {"role": "artist"}, "id"),
        (MEMBER, "", {"role": "artist"}, "id"),
        (MEMBER, "U/1", {"role": "artist"}, "id"),
        (MEMBER, "U#1", {"role": "artist"}, "id"),
        (MEMBER, "x" * 65, {"role": "artist"}, "id"),
        (MEMBER, "U1", {"role": "king"}, "role"),
        (MEMBER, "U1", {"role": "Artist"}, "role"),
        (MEMBER, "U1", {"role": ""}, "role"),
        (MEMBER, "U1", {"role": "arn:aws:iam::123456789012:role/Administrator"}, "role"),
        (MEMBER, "U1", {"role": "arn:aws:iam::123456789012:role/easel/"}, "role"),
        (MEMBER, "U1", {"role": "arn:aws:iam::12345:role/easel/x"}, "role"),
        (MEMBER, "U1", {"role": "arn:aws:iam::123456789012:user/easel/x"}, "role"),
        (MEMBER, "U1", {"role": "arn:aws:iam::123456789012:role/team/easel/x"}, "role"),
        (MEMBER, "U1", {"role": "arn:aws:iam::123456789012:role/easel/x\n"}, "role"),
        (MEMBER, "U1", {"role": OWN_ARN, "external_id": "T0OTHER"}, "external_id"),
        (MEMBER, "U1", {"role": OWN_ARN, "external_id": f"{T}2"}, "external_id"),
        (MEMBER, "U1", {"role": OWN_ARN, "external_id": "x" + T}, "external_id"),
        (MEMBER, "U1", {"limits": {"images_per_day": 1}, "external_id": T}, "external_id"),
        (MEMBER, "U1", {"role": "artist", "ends_at": NOON}, "ends_at"),
        (MEMBER, "U1", {"role": "artist", "ends_at": NOON - timedelta(1)}, "ends_at"),
        (MEMBER, "U1", {"role": "artist", "ends_at": NOON + timedelta(days=366, seconds=1)}, "ends_at"),
        (MEMBER, "U1", {"role": "artist", "ends_at": datetime(2026, 12, 1)}, "ends_at"),
        (MEMBER, "U1", {"guardrail": {"actions": ["see"]}}, "guardrail"),
        (WORKSPACE, T, {"guardrail": {"actions": ["see"]}}, "guardrail"),
    ],
)
def test_what_a_grant_may_not_say(
    access: Access, kind: SubjectKind, name: str, request_: dict[str, Any], field: str
) -> None:
    with pytest.raises(FieldRefused) as refused:
        access.grant(kind, name, **request_)
    assert refused.value.field == field
    assert refused.value.allowed
    assert access.backend.access.tenants == {}


def test_an_end_is_kept_in_utc(access: Access) -> None:
    there = timezone(timedelta(hours=9))
    made = access.grant(MEMBER, "U1", role="artist", ends_at=(NOON + timedelta(hours=1)).astimezone(there))
    assert made.ends_at == NOON + timedelta(hours=1)
    assert made.ends_at is not None
    assert made.ends_at.tzinfo is UTC


def test_a_role_may_be_named_by_its_name_or_its_arn(access: Access) -> None:
    by_name = access.grant(MEMBER, "U1", role="trainer")
    assert access.grant(MEMBER, "U1", role=STACK_ROLES["trainer"]) == by_name
    own = access.grant(MEMBER, "U2", role=OWN_ARN, external_id=f"{T}:7f3a")
    assert (own.role, own.role_arn, own.external_id) == (None, OWN_ARN, f"{T}:7f3a")
    assert stack_roles(("easel-artist", "easel-admin", "other"), "1" * 12, "aws-cn") == {
        "artist": f"arn:aws-cn:iam::{'1' * 12}:role/easel-artist",
        "admin": f"arn:aws-cn:iam::{'1' * 12}:role/easel-admin",
    }


def test_a_guardrail_that_sts_would_refuse_is_refused_now_with_the_numbers(access: Access) -> None:
    models = [f"model-{number:02}-with-a-rather-long-name" for number in range(20)]
    rail = Guardrail(actions=[Action.SEE, Action.PAINT], models=models)
    with pytest.raises(GuardrailTooLong) as refused:
        access.grant(CHANNEL, "C1", guardrail=rail)
    assert refused.value.given == f"{len(rail.session_policy(API_ARN))} characters"
    assert refused.value.allowed == "at most 2048 characters"
    # All there is to do, and the most models that fit.
    assert access.grant(CHANNEL, "C2", guardrail=Guardrail(actions=list(Action)))
    few = Guardrail(actions=[Action.SEE, Action.PAINT], models=models[:12])
    assert len(access.grant(CHANNEL, "C1", guardrail=few).model_dump()["guardrail"]["models"]) == 12


def test_the_guardrail_is_measured_with_this_apis_own_names(access: Access) -> None:
    rail = Guardrail(actions=list(Action))
    margin = 2_048 - len(rail.session_policy(API_ARN))
    routes = rail.session_policy(API_ARN).count(API_ARN.rpartition(":")[2])
    longer = API_ARN + "x" * (margin // routes)
    put_grant(ADA, CHANNEL, "C1", PutGrant(guardrail=rail), stack_roles=STACK_ROLES, api_arn=longer, ports=access.ports)
    with pytest.raises(GuardrailTooLong):
        put_grant(
            ADA,
            CHANNEL,
            "C1",
            PutGrant(guardrail=rail),
            stack_roles=STACK_ROLES,
            api_arn=longer + "x",
            ports=access.ports,
        )


def test_parts_of_a_grant_are_kept_as_they_stand_when_it_is_changed(access: Access) -> None:
    rail = Guardrail(actions=[Action.SEE])
    end = NOON + timedelta(days=1)
    first = access.grant(
        CHANNEL,
        "C1",
        role="trainer",
        external_id=T,
        ends_at=end,
        reason="demo",
        limits={"max_steps": 9},
        guardrail=rail,
    )
    limited = access.grant(CHANNEL, "C1", limits={"images_per_day": 5}, keeps=["role", "guardrail"])
    assert limited == first.model_copy(update={"limits": Limits(images_per_day=5)})
    assert access.grant(CHANNEL, "C1", limits={"images_per_day": 5}, keeps=["role", "guardrail"]) == limited
    granted = access.grant(CHANNEL, "C1", role="artist", keeps=["limits", "guardrail"])
    assert (granted.role, granted.ends_at, granted.reason, granted.external_id) == ("artist", None, "", None)
    assert granted.limits == limited.limits and granted.guardrail == rail
    assert len(access.audit()) == 3, "the repetition changed nothing"


def test_what_somebody_else_changed_meanwhile_is_kept_as_they_left_it(access: Access) -> None:
    access.grant(MEMBER, "U2", role="admin")
    # Between this change's reading and its writing, somebody revokes the role.
    access.grant(MEMBER, "U1", role="admin")
    access.backend.access.meanwhile = lambda: access.remove("grant", MEMBER, "U2")
    limited = access.grant(MEMBER, "U2", limits={"images_per_day": 5}, keeps=["role", "guardrail"])
    assert limited.role is None and limited.role_arn is None


def test_nothing_of_a_grant_that_has_ended_is_kept(access: Access) -> None:
    access.grant(MEMBER, "U2", role="admin", ends_at=NOON + timedelta(hours=1))
    access.backend.clock.go_on(timedelta(hours=1))
    assert access.grant(MEMBER, "U2", limits={"images_per_day": 5}, keeps=["role"]).role is None


def test_a_grant_of_which_nothing_is_left_is_removed(access: Access) -> None:
    access.grant(MEMBER, "U2", limits={"images_per_day": 5})
    left = access.grant(MEMBER, "U2", keeps=["role", "guardrail"])
    assert left.role_arn is None and not left.is_limiting and left.guardrail is None
    assert access.entries() == []
    assert sorted(record.action for record in access.audit()) == ["put_grant", "remove_grant"]
    access.grant(MEMBER, "U2", keeps=["role", "guardrail"])
    assert len(access.audit()) == 2, "asked again, nothing is removed"


def test_there_is_room_for_so_many_and_no_more(access: Access) -> None:
    made = access.grant(MEMBER, "U0", role="artist")
    store = access.backend.access
    full = tuple(made.model_copy(update={"id": f"U{number}"}) for number in range(MAX_ENTRIES))
    store.tenants[T] = replace(store.tenants[T], entries=full)
    with pytest.raises(FieldRefused) as refused:
        access.grant(MEMBER, "U0NEW", role="artist")
    assert refused.value.allowed == "at most 500"
    assert access.grant(MEMBER, "U7", role="trainer").role == "trainer"
    access.remove("grant", MEMBER, "U8")
    access.deny(MEMBER, "U0NEW")


def test_denies_name_only_so_many_members_together(access: Access) -> None:
    for number in range(4):
        access.deny(USERGROUP, f"S{number}", reaches=[f"U{number}x{member}" for member in range(5_000)])
    with pytest.raises(FieldRefused) as refused:
        access.deny(USERGROUP, "S9", reaches=["U1"])
    assert refused.value.field == "reaches"
    access.deny(USERGROUP, "S0", reaches=["U1"])
    access.deny(USERGROUP, "S9", reaches=["U1"])


def test_a_deny_of_a_usergroup_says_whom_it_reaches(access: Access) -> None:
    with pytest.raises(FieldRefused) as refused:
        access.deny(USERGROUP, "S1")
    assert refused.value.field == "reaches"
    assert access.deny(USERGROUP, "S1", reaches=[]).reaches == []
    assert access.deny(USERGROUP, "S2", reaches=["U2", "U1", "U2"]).reaches == ["U1", "U2"]
    assert access.deny(MEMBER, "U1", reaches=[]).reaches == []
    with pytest.raises(FieldRefused):
        access.deny(MEMBER, "U2", reaches=["U3"])


def test_a_tenant_sees_and_changes_only_its_own(access: Access) -> None:
    access.grant(MEMBER, "U0BOB", role="artist")
    assert access.entries(MALLORY) == access.audit(MALLORY) == []
    assert access.remove("grant", MEMBER, "U0BOB", MALLORY) is None
    access.grant(MEMBER, "U0BOB", caller=MALLORY, role="trainer")
    assert [entry.role for entry in access.entries()] == ["artist"]
    access.backend.clock.go_on(timedelta(minutes=1))
    access.deny(MEMBER, "U0EVE")
    position = list_audit(ADA, access.ports, limit=1, position=None, member=None).next
    assert position is not None
    with pytest.raises(FieldRefused):
        list_audit(MALLORY, access.ports, limit=1, position=position, member=None)


def test_an_iam_principal_has_limits_and_nothing_else(access: Access) -> None:
    operator = replace(IAM, member="operator:ops", is_operator=True)
    made = access.grant(WORKSPACE, IAM.tenant, caller=operator, limits=Limits(images_per_day=5))
    assert made.limits.images_per_day == 5
    for wrong in (
        lambda: access.grant(MEMBER, "build-7", caller=operator, role="artist"),
        lambda: access.grant(MEMBER, "build-7", caller=operator, role=OWN_ARN),
        lambda: access.grant(CHANNEL, "C1", caller=operator, limits=Limits(images_per_day=5)),
        lambda: access.deny(WORKSPACE, IAM.tenant, caller=operator),
    ):
        with pytest.raises(FieldRefused):
            wrong()
    assert access.backend.access.roles == {}


def test_an_iam_principal_can_not_loosen_its_own_limits(access: Access) -> None:
    operator = replace(IAM, member="operator:ops", is_operator=True)
    access.grant(WORKSPACE, IAM.tenant, caller=operator, limits=Limits(images_per_day=5))
    for wrong in (
        lambda: access.grant(WORKSPACE, IAM.tenant, caller=IAM, limits=Limits(images_per_day=500)),
        lambda: access.grant(MEMBER, "build-7", caller=IAM, limits=Limits(images_per_day=500)),
        lambda: access.remove("grant", WORKSPACE, IAM.tenant, caller=IAM),
        lambda: access.deny(MEMBER, "build-7", caller=IAM),
    ):
        with pytest.raises(NotAllowed):
            wrong()
    [entry] = access.entries(IAM)
    assert entry.limits == Limits(images_per_day=5)


# Nobody can lock everyone out.


def test_the_last_admin_can_not_be_taken_away_in_any_way(access: Access) -> None:
    access.grant(MEMBER, "U0ADA", role="admin")
    for change in (
        lambda: access.remove("grant", MEMBER, "U0ADA"),
        lambda: access.grant(MEMBER, "U0ADA", role="operator"),
        lambda: access.grant(MEMBER, "U0ADA", limits=Limits(images_per_day=1)),
        lambda: access.grant(MEMBER, "U0ADA", role="admin", ends_at=NOON + timedelta(days=9)),
        lambda: access.grant(MEMBER, "U0ADA", role=OWN_ARN),
        lambda: access.deny(MEMBER, "U0ADA"),
        lambda: access.deny(MEMBER, "U0ADA", ends_at=NOON + timedelta(hours=1)),
        lambda: access.deny(WORKSPACE, T),
        lambda: access.deny(USERGROUP, "S1", reaches=["U0BOB", "U0ADA"]),
    ):
        with pytest.raises(LastAdmin):
            change()
    assert len(access.audit()) == 1
    # What leaves them an admin is allowed, and so is all of it once there is another.
    access.grant(MEMBER, "U0ADA", role="admin", limits=Limits(images_per_day=1))
    access.deny(CHANNEL, "C1")
    access.deny(USERGROUP, "S1", reaches=["U0BOB"])
    access.grant(MEMBER, "U0CY", role="admin")
    access.deny(USERGROUP, "S1", reaches=["U0BOB", "U0ADA"])
    with pytest.raises(LastAdmin):
        access.remove("grant", MEMBER, "U0CY")
    access.remove("grant", MEMBER, "U0ADA")


def test_where_nobody_is_an_admin_by_name_nobody_locks_themselves_out(access: Access) -> None:
    """Theirs comes from the workspace, has an end, or is their organisation's."""
    soon = NOON + timedelta(hours=1)
    for admin_by in (
        lambda: access.grant(WORKSPACE, T, role="admin"),
        lambda: access.grant(MEMBER, "U0ADA", role="admin", ends_at=soon),
        lambda: access.remove("grant", WORKSPACE, T, caller=replace(ADA, is_operator=True)),
    ):
        admin_by()
        for change in (
            lambda: access.deny(WORKSPACE, T),
            lambda: access.deny(MEMBER, "U0ADA"),
            lambda: access.deny(USERGROUP, "S1", reaches=["U0ADA"]),
        ):
            with pytest.raises(LastAdmin):
                change()
    access.grant(WORKSPACE, T, role="artist")
    access.deny(MEMBER, "U0EVE")
    assert [entry.key for entry in access.entries() if entry.effect is Effect.DENY] == ["deny#member#U0EVE"]


def test_who_is_admin_by_the_workspaces_grant_does_not_take_it_from_themselves(access: Access) -> None:
    access.grant(WORKSPACE, T, role="admin")
    for change in (
        lambda: access.grant(WORKSPACE, T, role="artist"),
        lambda: access.grant(MEMBER, "U0ADA", role="artist"),
        lambda: access.remove("grant", WORKSPACE, T),
    ):
        with pytest.raises(LastAdmin):
            change()
    access.grant(MEMBER, "U0BOB", role="admin")
    access.grant(WORKSPACE, T, role="artist")


def test_the_operator_may_leave_nobody_but_themselves(access: Access) -> None:
    access.deny(WORKSPACE, T, caller=replace(ADA, is_operator=True))
    assert [entry.key for entry in access.entries()] == [f"deny#workspace#{T}"]


# A request that comes twice.


def test_a_request_that_comes_again_does_not_undo_what_others_did_since(access: Access) -> None:
    access.grant(MEMBER, "U0ADA", role="admin")
    access.grant(MEMBER, "U0EVE", once="confirm-1", role="artist")
    access.remove("grant", MEMBER, "U0EVE", once="confirm-2")
    again = access.grant(MEMBER, "U0EVE", once="confirm-1", role="artist")
    assert (again.role, again.limits, again.guardrail) == (None, Limits(), None)
    access.deny(MEMBER, "U0EVE", once="confirm-3")
    assert access.remove("grant", MEMBER, "U0EVE", once="confirm-2") is None
    access.remove("deny", MEMBER, "U0EVE", once="confirm-4")
    assert access.deny(MEMBER, "U0EVE", once="confirm-3").has_ended(NOON)
    assert [entry.key for entry in access.entries()] == ["grant#member#U0ADA"]
    assert access.grant(MEMBER, "U0EVE", once="confirm-5", role="artist").role == "artist"


def test_fifty_requests_are_remembered(access: Access) -> None:
    access.grant(MEMBER, "U0EVE", once="first", role="artist")
    for number in range(KEYS_REMEMBERED - 1):
        access.deny(MEMBER, f"U{number}", once=f"k{number}")
    access.grant(MEMBER, "U0EVE", once="first", role="trainer")
    access.grant(MEMBER, "U0EVE", role="operator")
    access.grant(MEMBER, "U0EVE", once="first", role="artist")
    [entry] = [entry for entry in access.entries() if entry.effect is Effect.GRANT]
    assert entry.role == "operator"
    assert len(access.backend.access.read(T).done) == KEYS_REMEMBERED


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admin", "artist", "admin for an hour", "own", "deny", "deny for an hour", "grant-", "deny-"]),
        st.sampled_from(
            [(MEMBER, "U1"), (MEMBER, "U2"), (MEMBER, "U3"), (USERGROUP, "S1"), (USERGROUP, "S2"), (WORKSPACE, T)]
        ),
        st.frozensets(st.sampled_from(["U1", "U2", "U3"])),
        st.integers(0, 90),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(STEPS)
def test_no_sequence_of_changes_leaves_nobody_who_may_grant(steps: list[tuple[str, Any, frozenset[str], int]]) -> None:
    access = Access()
    access.grant(MEMBER, "U1", role="admin")
    for what, (kind, name), reaches, minutes in steps:
        soon = access.backend.clock.now() + timedelta(hours=1)
        ends: dict[str, Any] = {"ends_at": soon} if what.endswith("hour") else {}
        try:
            if what.endswith("-"):
                access.remove(what[:-1], kind, name)
            elif what.startswith("deny"):
                access.deny(kind, name, **({"reaches": sorted(reaches)} if kind is USERGROUP else {}), **ends)
            else:
                role = OWN_ARN if what == "own" else what.split()[0]
                access.grant(kind, name, role=role, **ends)
        except LastAdmin:
            pass
        access.backend.clock.go_on(timedelta(minutes=minutes))
        now, entries = access.backend.clock.now(), access.entries()
        groups = {
            member: [
                entry.id
                for entry in entries
                if entry.kind is USERGROUP and entry.effect is Effect.DENY and member in entry.reaches
            ]
            for member in ("U1", "U2", "U3")
        }
        decided = [decide(entries, Who(T, member, usergroups=groups[member]), now) for member in groups]
        assert any(d.grant is not None and d.grant.role == "admin" and d.grant.ends_at is None for d in decided)


# When somebody else changes grants meanwhile.


def test_a_change_is_decided_anew_where_somebody_else_was_faster(access: Access) -> None:
    access.grant(MEMBER, "U0ADA", role="admin")
    access.grant(MEMBER, "U0BOB", role="admin")
    bob = replace(ADA, member="U0BOB")
    access.backend.access.meanwhile = lambda: access.remove("grant", MEMBER, "U0ADA", bob)
    with pytest.raises(LastAdmin):
        access.remove("grant", MEMBER, "U0BOB")
    assert [entry.id for entry in access.entries()] == ["U0BOB"]


def test_who_loses_every_time_is_told_so(access: Access) -> None:
    def always() -> None:
        access.backend.access.meanwhile = None
        put_words(ADA, PutWords(words=[f"word{len(access.audit())}"]), access.ports)
        access.backend.access.meanwhile = always

    access.backend.access.meanwhile = always
    with pytest.raises(AccessConflict):
        access.deny(MEMBER, "U0EVE")
    access.backend.access.meanwhile = None
    assert access.entries() == []


# The first admin.


def ensure(access: Access, member: str, tenant: str = T) -> bool:
    caller = Caller(tenant, member, "arn:aws:sts::1:assumed-role/install/x")
    return ensure_first_admin(caller, stack_roles=STACK_ROLES, ports=access.ports)


def test_who_installs_first_is_the_first_admin_and_nobody_after(access: Access) -> None:
    assert ensure(access, "U0ADA")
    assert not ensure(access, "U0ADA")
    assert not ensure(access, "U0EVE")
    [entry] = access.entries()
    assert (entry.id, entry.role, entry.ends_at, entry.reason) == ("U0ADA", "admin", None, "installed Easel")
    assert len(access.audit()) == 1
    assert ensure(access, "U0EVE", "T0OTHER")


def test_an_installer_who_is_denied_is_no_admin(access: Access) -> None:
    access.deny(MEMBER, "U0EVE")
    assert not ensure(access, "U0EVE")
    access.deny(WORKSPACE, T, caller=replace(ADA, is_operator=True))
    assert not ensure(access, "U0ADA")
    assert {entry.effect for entry in access.entries()} == {Effect.DENY}


def test_the_first_admin_keeps_their_limits(access: Access) -> None:
    access.grant(MEMBER, "U0ADA", role="artist", limits=Limits(images_per_day=7), ends_at=NOON + timedelta(days=1))
    assert ensure(access, "U0ADA")
    [entry] = access.entries()
    assert (entry.role, entry.limits.images_per_day, entry.ends_at) == ("admin", 7, None)


# The customers' own roles.


def test_a_role_of_ones_own_speaks_for_the_tenant_as_long_as_the_longest_of_its_grants(access: Access) -> None:
    role = OwnRole("210987654321", "painters")
    store, now = access.backend.access, NOON

    def speaks(after: timedelta = timedelta()) -> bool:
        return store.standing(role, T, now + after) is RoleStanding.SPEAKS

    access.grant(MEMBER, "U1", role=OWN_ARN, ends_at=NOON + timedelta(hours=1))
    assert speaks()
    assert not speaks(timedelta(hours=1))
    access.grant(CHANNEL, "C1", role=OWN_ARN)
    assert speaks(timedelta(days=999))
    access.remove("grant", MEMBER, "U1")
    assert speaks(timedelta(days=999))
    access.grant(CHANNEL, "C1", role="artist")
    assert not speaks()
    assert store.standing(role, T, now) is store.standing(role, "T0OTHER", now) is RoleStanding.SILENT
    access.grant(MEMBER, "U1", caller=MALLORY, role=OWN_ARN)
    assert store.standing(role, MALLORY.tenant, now) is RoleStanding.SPEAKS
    assert not speaks()
    # The stack's own roles and limits need no register.
    assert set(store.roles) == {role}


def test_only_that_a_role_speaks_is_remembered_and_only_for_a_moment(access: Access) -> None:
    register = RoleRegister(access.backend.access, access.backend.clock)

    def standing() -> RoleStanding:
        return register.standing("210987654321", "painters", T)

    assert standing() is RoleStanding.UNKNOWN
    access.grant(MEMBER, "U1", role=OWN_ARN, caller=MALLORY)
    assert standing() is RoleStanding.SILENT
    access.grant(MEMBER, "U1", role=OWN_ARN)
    assert standing() is RoleStanding.SPEAKS
    access.remove("grant", MEMBER, "U1")
    access.backend.clock.go_on(REMEMBERED - timedelta(seconds=1))
    assert standing() is RoleStanding.SPEAKS
    access.backend.clock.go_on(timedelta(seconds=1))
    assert standing() is RoleStanding.SILENT


# Blocked words.


def test_words_are_kept_without_repetitions_and_in_order(access: Access) -> None:
    assert read_words(ADA, access.ports).words == []
    given = ["Boat", " red   sea ", "boat", "ärger"]
    assert put_words(ADA, PutWords(words=given), access.ports).words == ["Boat", "red sea", "ärger"]
    assert read_words(ADA, access.ports).words == ["Boat", "red sea", "ärger"]
    assert read_words(MALLORY, access.ports).words == []
    for wrong in ("   ", " a "):
        with pytest.raises(FieldRefused):
            put_words(ADA, PutWords(words=[wrong]), access.ports)
    [record] = access.audit()
    assert (record.action, record.subject, record.before) == ("put_words", "words", {"words": []})


@settings(deadline=None)
@given(
    kind=st.sampled_from(list(SubjectKind)),
    name=st.text(max_size=70),
    role=st.none() | st.text(max_size=60) | st.sampled_from([*STACK_ROLES, OWN_ARN]),
    external_id=st.none() | st.text("T0EASEL2:-/.", min_size=2, max_size=12),
)
def test_whatever_is_granted_is_about_the_tenant_itself_and_a_role_that_may_be_assumed(
    kind: SubjectKind, name: str, role: str | None, external_id: str | None
) -> None:
    access = Access()
    limits = Limits(images_per_day=1)
    try:
        made = access.grant(kind, name, role=role, external_id=external_id, limits=limits)
    except (Refusal, ValueError):
        assert access.backend.access.tenants == {}
        return
    assert kind is not SubjectKind.ORG
    assert kind is not WORKSPACE or name == T
    assert made.role_arn is None or made.role_arn in STACK_ROLES.values() or ":role/easel/" in made.role_arn
    assert made.external_id is None or made.external_id.startswith(T)
