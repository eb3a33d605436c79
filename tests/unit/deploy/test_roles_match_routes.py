"""The roles that people act under, the API's resource policy and the API's routes say the same."""

from __future__ import annotations

import pytest

from backend_lambda.contract.actions import ROLE_ACTIONS, ROUTES, Action, resources
from deploy.own_roles import MAX_TRUST_POLICY_CHARS, SESSION_TAGS
from tests.policies.rendered import API_ARN, Kind, policy_of, template
from tests.policies.requests import example_of, open_requests, signed_requests

AHEAD = {*ROUTES[Action.SCALE]}
"""Routes that roles are meant for and that the API doesn't have yet."""


def routes(statement: dict[str, object]) -> list[str]:
    named = statement["Resource"]
    paths = named if isinstance(named, list) else [named]
    assert all(str(path).startswith(f"{API_ARN}/") for path in paths)
    return [str(path).removeprefix(f"{API_ARN}/") for path in paths]


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_a_roles_policy_is_its_actions_routes_and_nothing_else(role: str) -> None:
    [statement] = policy_of(f"{role.capitalize()}Role", Kind.IDENTITY).statements
    assert (statement["Effect"], statement["Action"]) == ("Allow", "execute-api:Invoke")
    assert "Condition" not in statement
    meant = [route for action in ROLE_ACTIONS[role] for route in resources(action)]
    named = routes(statement)
    assert sorted(named) == sorted(meant)
    assert len(named) == len(set(named))


def test_the_template_has_a_role_for_each_and_no_other_that_people_act_under() -> None:
    trusting_the_worker = {
        policy.owner
        for policy in template().policies()
        if policy.kind is Kind.TRUST and template().arn("WorkerRole") in str(policy.document)
    }
    assert trusting_the_worker == {f"{role.capitalize()}Role" for role in ROLE_ACTIONS}


def test_every_route_that_is_meant_for_a_role_exists_or_is_known_to_be_ahead() -> None:
    patterns = {route: route.replace("{model}", "*") for some in ROUTES.values() for route in some}
    missing = {
        route for route, pattern in patterns.items() if not any(one.matches(pattern) for one in signed_requests())
    }
    assert missing == AHEAD


def test_every_route_that_iam_decides_on_is_meant_for_some_role() -> None:
    admins = [route for action in ROLE_ACTIONS["admin"] for route in resources(action)]
    for request in signed_requests():
        assert any(request.matches(route) for route in admins), request


def test_the_resource_policy_admits_the_routes_that_there_are_and_nothing_else() -> None:
    unsigned, signed = policy_of("Api", Kind.RESOURCE).statements
    assert (unsigned["Effect"], unsigned["Action"], signed["Effect"], signed["Action"]) == (
        "Allow",
        "execute-api:Invoke",
        "Allow",
        "execute-api:Invoke",
    )
    existing = [*signed_requests(), *(example_of(route) for route in AHEAD)]
    admitted = routes(signed)
    for request in signed_requests():
        assert any(request.matches(pattern) for pattern in admitted), f"{request} is not admitted"
    for pattern in admitted:
        assert any(request.matches(pattern) for request in existing), f"{pattern} admits what there is not"
        assert not any(request.matches(pattern) for request in open_requests()), pattern


def test_what_is_open_to_anyone_is_slacks_routes_one_by_one() -> None:
    unsigned, signed = policy_of("Api", Kind.RESOURCE).statements
    assert unsigned["Principal"] == "*"
    assert signed["Principal"] != "*"
    assert sorted(routes(unsigned)) == sorted(request.route for request in open_requests())
    assert all(request.path.startswith("/slack/") for request in open_requests())
    assert not any("*" in route for route in routes(unsigned))


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_a_trust_policy_names_each_action_with_that_actions_own_keys(role: str) -> None:
    policy = policy_of(f"{role.capitalize()}Role", Kind.TRUST)
    assert len("".join(str(policy.document).split())) <= MAX_TRUST_POLICY_CHARS
    by_action = {statement["Action"]: statement for statement in policy.statements}
    assert list(by_action) == ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    for statement in policy.statements:
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"AWS": template().arn("WorkerRole")}
    assert by_action["sts:TagSession"]["Condition"]["ForAllValues:StringEquals"] == {"aws:TagKeys": list(SESSION_TAGS)}
