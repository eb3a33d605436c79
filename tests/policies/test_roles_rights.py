"""Who may call which route, as the policy simulator sees it: roles, guardrails, other principals, other accounts."""

from __future__ import annotations

import json
from itertools import product

import pytest

from backend_lambda.contract.actions import ROLE_ACTIONS, Action
from backend_lambda.contract.guardrails import session_policy
from deploy.own_roles import role_policy
from tests.policies.rendered import ACCOUNT, API_ARN, Kind, Template, policy_of, template
from tests.policies.requests import (
    Request,
    all_requests,
    example,
    known_requests,
    meant,
    meant_for,
    open_requests,
    signed_requests,
)
from tests.policies.simulator import Question, Simulator

pytestmark = pytest.mark.simulator

OTHER_ACCOUNT = "999988887777"
GUARDRAILS: list[tuple[tuple[Action, ...], tuple[str, ...]]] = [
    *(((action,), ()) for action in Action),
    ((Action.SEE, Action.PAINT), ()),
    ((Action.SEE, Action.PAINT), ("tiny",)),
    ((Action.PAINT, Action.SCALE), ("tiny", "another")),
    ((Action.SEE, Action.DELETE, Action.GRANT), ()),
]
ANY_ROUTE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}],
}


def of_role(role: str) -> str:
    return f"{role.capitalize()}Role"


def call(
    request: Request,
    principal: str | None,
    *identity: str,
    session: str | None = None,
    api: str = "Api.ResourcePolicy",
) -> Question:
    return Question(
        principal, "execute-api:Invoke", f"{API_ARN}/{request.route}", ACCOUNT, tuple(identity), session, api
    )


def member(role: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:sts::{account}:assumed-role/{role}/T1.U1.C1"


def by_request(requests: list[Request], answers: list[bool]) -> dict[str, bool]:
    return dict(zip([request.route for request in requests], answers, strict=True))


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_a_role_makes_the_requests_that_it_is_meant_to_make_and_no_others(simulator: Simulator, role: str) -> None:
    requests = all_requests()
    identity = policy_of(of_role(role), Kind.IDENTITY).name
    answers = simulator.allows([call(request, member(f"easel-{role}"), identity) for request in requests])
    assert by_request(requests, answers) == {request.route: meant_for(role, request) for request in requests}
    assert any(answers) and not all(answers)


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_a_guardrail_takes_away_and_never_gives(simulator: Simulator, role: str) -> None:
    requests = [
        *known_requests(),
        *(example(method, path.replace("{endpoint}", "another")) for method, path in template().routes(is_open=False)),
        Request("PUT", "/endpoints/another/capacity"),
    ]
    identity = policy_of(of_role(role), Kind.IDENTITY).name
    questions, expected = [], []
    for (actions, models), request in product(GUARDRAILS, requests):
        name = simulator.keep(f"guardrail {actions} {models}", json.loads(session_policy(actions, models, API_ARN)))
        questions.append(call(request, member(f"easel-{role}"), identity, session=name))
        expected.append(meant_for(role, request) and meant(actions, request, models))
    answers = simulator.allows(questions)
    wrong = [
        (question.session, question.resource, answer)
        for question, answer, right in zip(questions, answers, expected, strict=True)
        if answer != right
    ]
    assert not wrong
    assert any(answers)


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_a_role_of_ones_own_with_the_printed_policy_may_do_as_much(simulator: Simulator, role: str) -> None:
    requests = all_requests()
    name = simulator.keep(f"role-policy {role}", role_policy(API_ARN, role))
    answers = simulator.allows([call(request, member("painter"), name) for request in requests])
    assert by_request(requests, answers) == {request.route: meant_for(role, request) for request in requests}


def test_and_only_for_the_endpoints_that_it_names(simulator: Simulator) -> None:
    name = simulator.keep("role-policy artist tiny", role_policy(API_ARN, "artist", ["tiny"]))
    requests = [Request("POST", f"/endpoints/{endpoint}/jobs") for endpoint in ("tiny", "tiny2", "another")]
    assert simulator.allows([call(request, member("painter"), name) for request in requests]) == [True, False, False]


def test_without_a_policy_of_its_own_a_principal_of_this_account_may_call_nothing(simulator: Simulator) -> None:
    requests = all_requests()
    answers = simulator.allows([call(request, member("some-role")) for request in requests])
    assert not any(answers)


def test_the_functions_roles_and_the_endpoints_call_nothing_themselves(simulator: Simulator) -> None:
    people = {of_role(role) for role in ROLE_ACTIONS}
    requests = signed_requests()
    for policy in template().policies():
        if policy.kind is Kind.IDENTITY and policy.owner not in people:
            principal = member(template().arn(policy.owner).rsplit("/", 1)[-1])
            answers = simulator.allows([call(request, principal, policy.name) for request in requests])
            assert not any(answers), policy.owner


def test_unsigned_requests_reach_slacks_routes_alone(simulator: Simulator) -> None:
    requests = [*open_requests(), *all_requests()]
    answers = by_request(requests, simulator.allows([call(request, None) for request in requests]))
    assert answers == {request.route: request in open_requests() for request in requests}
    assert all(request.path.startswith("/slack/") for request in open_requests())


def test_another_account_may_call_nothing_unless_it_is_let_in(simulator: Simulator) -> None:
    anything = simulator.keep("may call anything", ANY_ROUTE)
    stranger = member("painter", OTHER_ACCOUNT)
    requests = signed_requests()
    assert not any(simulator.allows([call(request, stranger, anything) for request in requests]))
    open_to_it = Template(parameters={"ApiAccounts": f"{OTHER_ACCOUNT},123412341234"})
    [admits] = [policy.document for policy in open_to_it.policies() if policy.owner == "Api"]
    api = simulator.keep("the API, open to another account", admits)
    assert all(simulator.allows([call(request, stranger, anything, api=api) for request in requests]))
    # Its own policies decide as well, and this account's principals lose nothing.
    assert not any(simulator.allows([call(request, stranger, api=api) for request in requests]))
    as_artist = simulator.keep("role-policy artist", role_policy(API_ARN, "artist"))
    answers = simulator.allows([call(request, stranger, as_artist, api=api) for request in requests])
    assert by_request(requests, answers) == {request.route: meant_for("artist", request) for request in requests}
    artist = policy_of("ArtistRole", Kind.IDENTITY).name
    answers = simulator.allows([call(request, member("easel-artist"), artist, api=api) for request in requests])
    assert by_request(requests, answers) == {request.route: meant_for("artist", request) for request in requests}
    third = member("painter", "444455556666")
    assert not any(simulator.allows([call(request, third, anything, api=api) for request in requests]))
