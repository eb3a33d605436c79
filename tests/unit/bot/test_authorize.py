"""Who acts under which role: the grants decide, Slack says who is in which group, and a doubt refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.access import Guardrail, standing
from backend_lambda.contract.actions import Action
from bot.invocation import Invocation
from bot.ports.backend import Caller, Grant
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.worker.authorize import AccessRefused, Authorized, admins_of
from bot.worker.usergroups import FRESH_SECONDS
from tests.fakes.bot_access import API_ARN, OWN_ROLE, images, role_arn
from tests.fakes.bot_stage import Stage, painting


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.access.clear("T1")
    stage.slack.usergroups = {"S1": {"U1", "U2"}, "S2": {"U2"}}
    return stage


def authorize(stage: Stage, **facts: Any) -> Authorized:
    return stage.worker_deps().authorize(painting(**facts))


def refusal(stage: Stage, **facts: Any) -> str:
    with pytest.raises(AccessRefused) as refused:
        authorize(stage, **facts)
    return f"{refused.value.trouble.sentence} {refused.value.trouble.next_step}"


def later(stage: Stage, **span: int) -> datetime:
    return datetime.fromtimestamp(stage.clock.now(), UTC) + timedelta(**span)


def test_the_most_specific_grant_is_assumed_in_the_callers_name(stage: Stage) -> None:
    assert "no permission" in refusal(stage)
    stage.access.grant("T1", "workspace", "T1", "artist")
    assert authorize(stage) == Authorized(Grant(role_arn("artist"), "T1"), Caller("T1", "C1", "U1"), [])
    stage.access.grant("T1", "channel", "C1", "trainer")
    assert authorize(stage).grant.role_arn == role_arn("trainer")
    stage.access.grant("T1", "usergroup", "S1", "operator")
    assert authorize(stage).caller == Caller("T1", "C1", "U1", "S1")
    stage.access.grant("T1", "member", "U1", OWN_ROLE, external_id="X7")
    assert authorize(stage).grant == Grant(OWN_ROLE, "X7")
    assert authorize(stage, member="U2").grant.role_arn == role_arn("operator")
    assert authorize(stage, member="U3", channel="C2").grant.role_arn == role_arn("artist")


def test_an_organisations_entries_count_in_its_workspaces(stage: Stage) -> None:
    stage.access.grant("E1", "org", "E1", "artist")
    assert "no permission" in refusal(stage)
    assert authorize(stage, enterprise="E1").grant == Grant(role_arn("artist"), "T1")
    stage.access.deny("E1", "org", "E1")
    stage.access.grant("T1", "member", "U1", "admin")
    assert "everybody in your organisation" in refusal(stage, enterprise="E1")


@pytest.mark.parametrize(
    ("kind", "subject"), [("member", "U1"), ("usergroup", "S1"), ("channel", "C1"), ("workspace", "T1")]
)
def test_any_deny_wins_and_says_which_and_who_can_lift_it(stage: Stage, kind: str, subject: str) -> None:
    stage.access.grant("T1", "member", "U1", "admin")
    stage.access.grant("T1", "member", "U9", "admin")
    stage.access.deny("T1", kind, subject, ends_at=later(stage, hours=2))
    said = refusal(stage)
    assert "A deny keeps" in said and "<!date^" in said and "<@U9>" in said
    stage.clock.sleep(7_200)
    assert authorize(stage).grant.role_arn == role_arn("admin"), "it has ended"


def test_a_grant_that_has_ended_does_not_count(stage: Stage) -> None:
    stage.access.grant("T1", "workspace", "T1", "artist", ends_at=later(stage, hours=1))
    assert authorize(stage)
    stage.clock.sleep(3_599)
    assert authorize(stage)
    stage.clock.sleep(1)
    assert "no permission" in refusal(stage)


def test_refusals_name_at_most_three_admins_and_none_that_is_denied_or_over(stage: Stage) -> None:
    now = later(stage)
    for index in range(5):
        stage.access.grant("T1", "member", f"UA{index}", "admin", made_at=now - timedelta(days=9 - index))
    stage.access.deny("T1", "member", "UA0")
    stage.access.grant("T1", "member", "UA1", "admin", ends_at=now)
    assert "<@UA2>, <@UA3> or <@UA4> can grant you one." in refusal(stage)
    assert admins_of(standing(stage.access.entries("T1", ""), now)) == ["UA2", "UA3", "UA4"]


# ---------------------------------------------------------------- members of other companies


def test_an_external_member_needs_a_grant_by_name(stage: Stage) -> None:
    stage.access.grant("T1", "member", "UADMIN", "admin")
    for kind, subject in (("workspace", "T1"), ("channel", "C1"), ("usergroup", "S1")):
        stage.access.grant("T1", kind, subject, "artist")
    said = refusal(stage, actor_team="T9")
    assert "only if it is granted to you by name" in said and "<@UADMIN> can do that." in said
    assert authorize(stage, actor_team="T1").caller.usergroup == "S1"
    stage.access.grant("T1", "member", "U1", "artist")
    assert authorize(stage, actor_team="T9").caller == Caller("T1", "C1", "U1", "")
    stage.access.deny("T1", "channel", "C1")
    assert "A deny keeps" in refusal(stage, actor_team="T9")


# ---------------------------------------------------------------- guardrails


def test_a_channels_guardrail_is_the_session_policy_whichever_grant_decides(stage: Stage) -> None:
    stage.access.grant("T1", "member", "U1", "admin")
    stage.access.grant("T1", "channel", "C1", guardrail=Guardrail(actions=[Action.SEE, Action.PAINT], models=["tiny"]))
    policy = json.loads(authorize(stage).grant.policy)
    [statement] = policy["Statement"]
    assert statement["Effect"] == "Allow" and statement["Action"] == "execute-api:Invoke"
    assert f"arn:aws:execute-api:*:*:{API_ARN.rpartition(':')[2]}/POST/endpoints/tiny/jobs" in statement["Resource"]
    assert not any("grants" in arn or "endpoints/*" in arn for arn in statement["Resource"])
    assert authorize(stage, channel="C2").grant.policy == ""


def test_a_guardrail_that_sts_would_not_take_refuses(stage: Stage) -> None:
    stage.access.grant("T1", "member", "U1", "admin")
    models = [f"{letter * 41}" for letter in "abcdefghijklmnopqrst"]
    stage.access.grant("T1", "channel", "C1", guardrail=Guardrail(actions=list(Action), models=models))
    assert "longer than AWS takes" in refusal(stage) and "<@U1> can shorten it" in refusal(stage)


# ---------------------------------------------------------------- user groups


def test_slack_is_asked_only_where_an_entry_is_about_a_group(stage: Stage) -> None:
    stage.access.grant("T1", "workspace", "T1", "artist")
    authorize(stage)
    stage.access.grant("T1", "usergroup", "S1", "trainer", ends_at=later(stage))
    authorize(stage)
    assert stage.slack.usergroups_asked == 0
    stage.access.grant("T1", "usergroup", "S1", "trainer")
    for _ in range(3):
        assert authorize(stage).caller.usergroup == "S1"
    assert stage.slack.usergroups_asked == 1
    stage.slack.usergroups = {}
    stage.clock.sleep(FRESH_SECONDS)
    assert authorize(stage).caller.usergroup == ""
    assert stage.slack.usergroups_asked == 2


@pytest.mark.parametrize("problem", [SlackUnavailable("timeout"), SlackRefused("missing_scope")])
def test_where_slack_does_not_say_and_it_matters_the_person_is_to_try_again(stage: Stage, problem: Exception) -> None:
    stage.slack.usergroups_problem = problem
    stage.access.grant("T1", "workspace", "T1", "trainer")
    # The group's role may be the lesser one.
    stage.access.grant("T1", "usergroup", "S1", "artist")
    assert "Slack did not say which" in refusal(stage)
    # Whoever has a role by name has it whatever the groups grant ...
    stage.access.grant("T1", "member", "U1", "operator")
    assert authorize(stage).grant.role_arn == role_arn("operator")
    # ... but not whatever they limit or deny.
    stage.access.grant("T1", "usergroup", "S2", limits=images(1))
    assert "Slack did not say which" in refusal(stage)
    stage.access.tenants["T1"].pop("grant#usergroup#S2")
    stage.access.deny("T1", "usergroup", "S2")
    assert "Slack did not say which" in refusal(stage)
    stage.slack.usergroups_problem = None
    assert authorize(stage).grant.role_arn == role_arn("operator")
    assert "A deny keeps" in refusal(stage, member="U2")


def test_the_group_whose_limits_hold_is_in_the_session(stage: Stage) -> None:
    stage.access.grant("T1", "member", "U1", "artist")
    stage.access.grant("T1", "usergroup", "S1", limits=images(5))
    assert authorize(stage).caller == Caller("T1", "C1", "U1", "S1")


# ---------------------------------------------------------------- whatever happens

KINDS = st.sampled_from([("member", "U1"), ("usergroup", "S1"), ("channel", "C1"), ("workspace", "T1"), ("org", "E1")])


@settings(max_examples=150, deadline=None)
@given(
    entries=st.lists(st.tuples(KINDS, st.sampled_from(["artist", "admin", None, "deny"])), max_size=8),
    is_down=st.booleans(),
    actor_team=st.sampled_from(["", "T1", "T9"]),
)
def test_a_deny_or_a_doubt_never_lets_anybody_through(
    entries: list[tuple[tuple[str, str], str | None]], is_down: bool, actor_team: str
) -> None:
    stage = Stage()
    stage.access.clear("T1")
    stage.slack.usergroups = {"S1": {"U1"}}
    if is_down:
        stage.slack.usergroups_problem = SlackUnavailable("down")
    for (kind, subject), what in entries:
        tenant = "E1" if kind == "org" else "T1"
        if what == "deny":
            stage.access.deny(tenant, kind, subject)
        else:
            stage.access.grant(tenant, kind, subject, what, limits=images(1) if what is None else images(2))
    standing = [entry for tenant in ("T1", "E1") for entry in stage.access.tenants.get(tenant, {}).values()]
    asked = replace(painting(), enterprise="E1", actor_team=actor_team)
    try:
        authorized = stage.worker_deps().authorize(asked)
    except AccessRefused:
        return
    assert not any(entry.effect == "deny" for entry in standing)
    grants = {entry.kind: entry.role_arn for entry in standing if entry.role_arn}
    assert authorized.grant.role_arn in grants.values()
    if "member" in grants or actor_team != "T1":
        assert authorized.grant.role_arn == grants["member"]
    assert Invocation.from_json(asked.to_json()) == asked
