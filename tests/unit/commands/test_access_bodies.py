"""What the API is asked for: the parts of a grant that are not named are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from backend_lambda.contract.access import GrantPart, Guardrail, Limits, PutDeny, PutGrant
from backend_lambda.contract.actions import Action
from commands.admin.bodies import deny_body, grant_body, guardrail_body, limit_body
from commands.admin.settle import Settled, settle
from commands.command import Change
from commands.grammar.options import Value
from commands.imagine_admin import plan
from tests.unit.commands.test_admin_grammar import INSTRUCTIONS

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
OWN = "arn:aws:iam::123456789012:role/easel/painters"
ROLE, LIMITS, GUARDRAIL = GrantPart.ROLE, GrantPart.LIMITS, GrantPart.GUARDRAIL


def said(text: str) -> dict[str, Value]:
    planned = plan(text)
    assert isinstance(planned, Change)
    settled = settle(planned.instruction, NOW, "T1")
    assert isinstance(settled, Settled)
    return dict(settled.instruction.values)


def grant(body: dict[str, Any]) -> PutGrant:
    return PutGrant.model_validate_json(json.dumps(body))


def test_a_grant_says_what_was_said_and_keeps_the_guardrail() -> None:
    put = grant(grant_body(said("access grant <#C1> artist --until 8h --images 50 --gpu-minutes 3 --reason “x y”")))
    assert (put.role, put.ends_at, put.reason) == ("artist", NOW + timedelta(hours=8), "x y")
    assert put.limits == Limits(images_per_day=50, gpu_seconds_per_day=180) and put.keeps == [GUARDRAIL]
    put = grant(grant_body(said(f"access grant <@U1> {OWN} --external-id T1:X7")))
    assert (put.role, put.external_id, put.keeps) == (OWN, "T1:X7", [LIMITS, GUARDRAIL])


def test_limits_keep_the_rest() -> None:
    put = grant(limit_body(said("access limit <#C1> --steps 30 --images 5 --each")))
    assert put.limits == Limits(max_steps=30, images_per_day=5, each_member=True) and put.keeps == [ROLE, GUARDRAIL]
    assert limit_body(said("access limit <#C1> off")) == {"keeps": ["role", "guardrail"]}


def test_a_guardrail_keeps_the_rest() -> None:
    put = grant(guardrail_body(said("access guardrail <#C1> paint see --models tiny")))
    assert put.guardrail == Guardrail(actions=[Action.SEE, Action.PAINT], models=["tiny"])
    assert put.keeps == [ROLE, LIMITS]
    assert guardrail_body(said("access guardrail <#C1> off")) == {"keeps": ["role", "limits"]}


def test_a_deny() -> None:
    deny = PutDeny.model_validate_json(json.dumps(deny_body(said("access deny <@U1> --until 1d --reason spam"))))
    assert (deny.ends_at, deny.reason, deny.reaches) == (NOW + timedelta(days=1), "spam", [])
    assert deny_body(said("access deny <@U1>")) == {}


BODIES = {
    "access grant": grant_body,
    "access limit": limit_body,
    "access guardrail": guardrail_body,
    "access deny": deny_body,
}


@settings(max_examples=150, deadline=None)
@given(INSTRUCTIONS)
def test_whatever_can_be_said_is_what_the_api_takes(instruction: Any) -> None:
    settled = settle(instruction, NOW, "T1")
    if not isinstance(settled, Settled) or instruction.path not in BODIES:
        return
    body = json.dumps(BODIES[instruction.path](settled.instruction.values))
    if instruction.path == "access deny":
        PutDeny.model_validate_json(body)
    else:
        PutGrant.model_validate_json(body)


@pytest.mark.parametrize(
    "body",
    [
        {"role": "artist", "keeps": ["role"]},
        {"reason": "x", "keeps": ["role"]},
        {"limits": {"max_steps": 3}, "keeps": ["limits"]},
        {"guardrail": {"actions": ["see"]}, "keeps": ["guardrail", "role"]},
        {"keeps": ["everything"]},
        {"keeps": []},
    ],
)
def test_what_is_kept_is_not_named(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        grant(body)
