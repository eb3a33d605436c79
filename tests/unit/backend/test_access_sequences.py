"""No sequence of grants, limits, guardrails, denies, revocations and ends gives more than it should.

The use cases run as the commands ask for them. Beside them a model keeps role, limits, guardrail and deny of each
subject apart, each with a lifetime of its own; after every sequence both must say the same of everybody everywhere.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Guardrail, Limits, PutDeny, PutGrant
from backend_lambda.contract.actions import Action
from backend_lambda.contract.decision import Who, decide
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.applicable_limits import applicable_limits
from backend_lambda.usecases.put_deny import put_deny
from backend_lambda.usecases.put_grant import put_grant
from backend_lambda.usecases.refusals import LastAdmin
from backend_lambda.usecases.remove_entry import remove_entry
from tests.fakes.backend import FakeBackend
from tests.fakes.backend_access import API_ARN, STACK_ROLES

OPERATOR = Caller("T1", "operator:ops", "arn:aws:iam::123456789012:user/ops", is_operator=True)
SUBJECTS = [
    (SubjectKind.WORKSPACE, "T1"),
    (SubjectKind.CHANNEL, "C1"),
    (SubjectKind.CHANNEL, "C2"),
    (SubjectKind.USERGROUP, "S1"),
    (SubjectKind.MEMBER, "U1"),
    (SubjectKind.MEMBER, "U2"),
]
MEMBERS = {"U1": ["S1"], "U2": [], "U3": ["S1"]}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "grant limited", "limit", "guardrail", "guardrail off", "deny", "revoke", "lift"]),
        st.sampled_from(SUBJECTS),
        st.sampled_from(["artist", "trainer", "operator"]),
        st.integers(0, 9),
        st.none() | st.integers(1, 3),
        st.sampled_from([0, 1, 5]),
    ),
    max_size=14,
)


@dataclass
class Part:
    """What one command has set, until another does or its end comes."""

    value: Any
    ends_at: datetime | None = None

    def at(self, now: datetime) -> Any:
        return self.value if self.ends_at is None or now < self.ends_at else None


@dataclass
class Model:
    """What should hold, by subject."""

    roles: dict[Any, Part] = field(default_factory=dict)
    limits: dict[Any, int] = field(default_factory=dict)
    rails: dict[Any, Guardrail] = field(default_factory=dict)
    denies: dict[Any, Part] = field(default_factory=dict)

    def expected(self, member: str, channel: str, now: datetime) -> tuple[Any, ...]:
        """The role that may be assumed, the guardrail, the pictures a day of every limit."""
        mine = [
            [(SubjectKind.MEMBER, member)],
            [(SubjectKind.USERGROUP, group) for group in MEMBERS[member]],
            [(SubjectKind.CHANNEL, channel)],
            [(SubjectKind.WORKSPACE, "T1")],
        ]
        subjects = [subject for level in mine for subject in level]
        is_denied = any(self.denies[subject].at(now) for subject in subjects if subject in self.denies)
        roles = [role for subject in subjects if subject in self.roles and (role := self.roles[subject].at(now))]
        return (
            roles[0] if roles and not is_denied else None,
            self.rails.get((SubjectKind.CHANNEL, channel)),
            sorted(self.limits[subject] for subject in subjects if subject in self.limits),
        )


def carry_out(backend: FakeBackend, model: Model, step: tuple[Any, ...]) -> None:
    """As the command does it, and in the model."""
    what, subject, role, images, hours, _ = step
    kind, name = subject
    ports, now = backend.access_ports, backend.clock.now()
    ends_at = now + timedelta(hours=hours) if hours is not None and what.startswith(("grant", "deny")) else None

    def put(**request: Any) -> None:
        put_grant(OPERATOR, kind, name, PutGrant(**request), stack_roles=STACK_ROLES, api_arn=API_ARN, ports=ports)

    limits = Limits(images_per_day=images)
    match what:
        case "grant":
            put(role=role, ends_at=ends_at, keeps=["limits", "guardrail"])
            model.roles[subject] = Part(role, ends_at)
        case "grant limited":
            put(role=role, ends_at=ends_at, limits=limits, keeps=["guardrail"])
            model.roles[subject], model.limits[subject] = Part(role, ends_at), images
        case "limit":
            put(limits=limits, keeps=["role", "guardrail"])
            model.limits[subject] = images
        case "guardrail" | "guardrail off" if kind is SubjectKind.CHANNEL:
            rail = Guardrail(actions=[Action.SEE]) if what == "guardrail" else None
            put(guardrail=rail, keeps=["role", "limits"])
            model.rails.pop(subject, None)
            if rail is not None:
                model.rails[subject] = rail
        case "deny":
            reaches = {"reaches": ["U1", "U3"]} if kind is SubjectKind.USERGROUP else {}
            put_deny(OPERATOR, kind, name, PutDeny(ends_at=ends_at, **reaches), ports)
            model.denies[subject] = Part(True, ends_at)
        case "revoke":
            remove_entry(OPERATOR, Effect.GRANT, kind, name, ports)
            for parts in (model.roles, model.limits, model.rails):
                parts.pop(subject, None)  # type: ignore[attr-defined]
        case "lift":
            remove_entry(OPERATOR, Effect.DENY, kind, name, ports)
            model.denies.pop(subject, None)


@given(STEPS)
def test_everybody_has_everywhere_what_the_parts_say_one_by_one(steps: list[tuple[Any, ...]]) -> None:
    backend, model = FakeBackend(), Model()
    for step in steps:
        with suppress(LastAdmin):
            carry_out(backend, model, step)
        backend.clock.go_on(timedelta(hours=step[-1]))
        now = backend.clock.now()
        entries = backend.access.read("T1").entries
        for member, groups in MEMBERS.items():
            for channel in ("C1", "C2"):
                decision = decide(entries, Who("T1", member, channel=channel, usergroups=groups), now)
                caller = Caller("T1", member, "arn", channel, decision.usergroup)
                found = (
                    decision.grant.role if decision.grant is not None else None,
                    decision.guardrail.guardrail if decision.guardrail is not None else None,
                    sorted(limit.most for limit in applicable_limits(entries, caller, now).counted),
                )
                assert found == model.expected(member, channel, now)
