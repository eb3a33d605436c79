"""What the API is asked for: the parts of a grant that are not named stay as they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend_lambda.contract.access import Effect, Entry, Guardrail, Limits, PutDeny, PutGrant
from backend_lambda.contract.actions import Action
from backend_lambda.contract.subjects import SubjectKind
from commands.admin.bodies import deny_body, grant_body, guardrail_body, limit_body, standing_body
from commands.admin.settle import Settled, settle
from commands.command import Change
from commands.grammar.options import Value
from commands.imagine_admin import plan

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
END = NOW + timedelta(days=1)
OWN = "arn:aws:iam::123456789012:role/easel/painters"


def said(text: str) -> dict[str, Value]:
    planned = plan(text)
    assert isinstance(planned, Change)
    settled = settle(planned.instruction, NOW, "T1")
    assert isinstance(settled, Settled)
    return dict(settled.instruction.values)


def standing(**facts: Any) -> Entry:
    given: dict[str, Any] = {
        "effect": Effect.GRANT,
        "kind": SubjectKind.CHANNEL,
        "id": "C1",
        "role": "trainer",
        "role_arn": "arn:aws:iam::1:role/easel-trainer",
        "limits": Limits(images_per_day=9, each_member=True),
        "guardrail": Guardrail(actions=[Action.SEE], models=["tiny"]),
        "ends_at": END,
        "reason": "before",
        "made_at": NOW,
    }
    return Entry.model_validate({**given, **facts})


def grant(body: dict[str, Any] | None) -> PutGrant:
    assert body is not None
    return PutGrant.model_validate_json(json.dumps(body))


def test_a_new_grant_says_what_was_said_and_nothing_else() -> None:
    body = grant_body(said("access grant <#C1> artist --until 8h --images 50 --reason “x y”"), None)
    assert body == {
        "role": "artist",
        "ends_at": "2026-11-25T22:30:00+00:00",
        "reason": "x y",
        "limits": {"images_per_day": 50},
    }
    assert grant_body(said(f"access grant <@U1> {OWN} --external-id T1:X7"), None) == {
        "role": OWN,
        "external_id": "T1:X7",
    }


def test_a_new_role_ends_as_it_was_said_and_leaves_limits_and_guardrail() -> None:
    put = grant(grant_body(said("access grant <#C1> artist"), standing()))
    assert (put.role, put.ends_at, put.reason) == ("artist", None, "")
    assert put.limits == standing().limits and put.guardrail == standing().guardrail
    put = grant(grant_body(said("access grant <#C1> artist --jobs 2"), standing()))
    assert put.limits == Limits(jobs_at_once=2), "limits that are named replace all of them"


def test_limits_leave_the_rest() -> None:
    put = grant(limit_body(said("access limit <#C1> --steps 30"), standing()))
    assert put.limits == Limits(max_steps=30)
    kept = grant(standing_body(standing()))
    assert put.model_copy(update={"limits": kept.limits}) == kept
    assert grant(limit_body(said("access limit <#C1> off"), standing())).limits == Limits()
    assert limit_body(said("access limit <#C1> --steps 30"), None) == {"limits": {"max_steps": 30}}


def test_a_guardrail_leaves_the_rest() -> None:
    put = grant(guardrail_body(said("access guardrail <#C1> see paint"), standing()))
    assert put.guardrail == Guardrail(actions=[Action.SEE, Action.PAINT])
    kept = grant(standing_body(standing()))
    assert put.model_copy(update={"guardrail": kept.guardrail}) == kept
    assert grant(guardrail_body(said("access guardrail <#C1> off"), standing())).guardrail is None


@pytest.mark.parametrize("text", ["access limit <#C1> off", "access guardrail <#C1> off"])
def test_where_nothing_is_left_the_grant_goes(text: str) -> None:
    body_of = limit_body if "limit" in text else guardrail_body
    assert body_of(said(text), None) is None
    alone = standing(role=None, role_arn=None, limits=Limits(), guardrail=None)
    only = {"limits": Limits(max_steps=3)} if "limit" in text else {"guardrail": Guardrail(actions=[Action.SEE])}
    assert body_of(said(text), alone.model_copy(update=only)) is None


@pytest.mark.parametrize("role", ["trainer", None])
def test_what_stands_is_asked_for_as_it_stands(role: str | None) -> None:
    entry = standing(role=role, role_arn=OWN if role is None else None, external_id="T1:X7")
    put = grant(standing_body(entry))
    assert (put.role, put.external_id) == (role or OWN, "T1:X7")
    assert (put.limits, put.guardrail, put.ends_at, put.reason) == (
        entry.limits, entry.guardrail, entry.ends_at, entry.reason
    )  # fmt: skip


def test_a_deny() -> None:
    deny = PutDeny.model_validate_json(json.dumps(deny_body(said("access deny <@U1> --until 1d --reason spam"))))
    assert (deny.ends_at, deny.reason, deny.reaches) == (END, "spam", [])
    assert deny_body(said("access deny <@U1>")) == {}
