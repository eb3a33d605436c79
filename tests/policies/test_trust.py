"""Who may assume the roles that people act under, as the policy simulator sees it."""

from __future__ import annotations

import pytest

from deploy.own_roles import trust_policy
from tests.policies.attempts import ALLOWED, GOOD, REFUSED, Attempt, of_workspace
from tests.policies.rendered import ACCOUNT, Kind, policy_of, template
from tests.policies.simulator import Question, Simulator

pytestmark = pytest.mark.simulator

ROLES = ["ArtistRole", "TrainerRole", "OperatorRole", "AdminRole"]
WORKER_ROLE = template().arn("WorkerRole")
WORKER = f"arn:aws:sts::{ACCOUNT}:assumed-role/{WORKER_ROLE.rsplit('/', 1)[-1]}/easel-worker"
MAY_ASSUME_ANYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}],
}


def may_assume(
    simulator: Simulator, role: str, trust: str, attempts: list[Attempt], caller: str = WORKER, identity: str = ""
) -> list[bool]:
    """For each attempt, whether everything that AWS asks about it is allowed."""
    questions = [
        Question(
            principal=caller,
            action=action,
            resource=role,
            owner=role.split(":")[4],
            identity=(identity or policy_of("WorkerRole", Kind.IDENTITY).name,),
            resource_policy=trust,
            context=attempt.context(),
        )
        for attempt in attempts
        for action in attempt.actions()
    ]
    answers = iter(simulator.allows(questions))
    of_each = [[next(answers) for _ in attempt.actions()] for attempt in attempts]
    return [all(of_one) for of_one in of_each]


def of_the_template(simulator: Simulator, owner: str, attempts: list[Attempt], **others: str) -> list[bool]:
    return may_assume(simulator, template().arn(owner), policy_of(owner, Kind.TRUST).name, attempts, **others)


@pytest.mark.parametrize("role", ROLES)
def test_the_worker_assumes_a_role_for_a_member_of_one_workspace_and_in_no_other_way(
    simulator: Simulator, role: str
) -> None:
    assert of_the_template(simulator, role, [*ALLOWED.values(), of_workspace("T2")]) == [True] * (len(ALLOWED) + 1)
    answers = dict(zip(REFUSED, of_the_template(simulator, role, list(REFUSED.values())), strict=True))
    assert answers == dict.fromkeys(REFUSED, False)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "caller",
    [
        *(template().arn(other).replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/somebody"
          for other in ("SlackRole", "ResultsRole", "ApiRole", "EndpointRole", *ROLES)),
        f"arn:aws:iam::{ACCOUNT}:user/an-administrator",
        f"arn:aws:iam::{ACCOUNT}:root",
        "arn:aws:sts::999988887777:assumed-role/easel-workerrole/easel-worker",
    ],
)  # fmt: skip
def test_nobody_else_does_whatever_their_own_policies_allow(simulator: Simulator, role: str, caller: str) -> None:
    everything = simulator.keep("may assume anything", MAY_ASSUME_ANYTHING)
    assert of_the_template(simulator, role, [GOOD], caller=caller, identity=everything) == [False]


def test_the_worker_assumes_no_other_role_of_the_stack(simulator: Simulator) -> None:
    others = [
        owner
        for owner, resource in template().resources.items()
        if resource["Type"] == "AWS::IAM::Role" and owner not in ROLES
    ]
    assert others
    for owner in others:
        assert of_the_template(simulator, owner, [GOOD]) == [False], owner


OWN = "arn:aws:iam::999988887777:role/easel/painter"


def own_role(simulator: Simulator, attempts: list[Attempt], *workspaces: str, arn: str = OWN) -> list[bool]:
    name = simulator.keep(f"own role of {workspaces}", trust_policy(WORKER_ROLE, workspaces))
    return may_assume(simulator, arn, name, attempts)


@pytest.mark.parametrize("arn", [OWN, f"arn:aws:iam::{ACCOUNT}:role/easel/painter"])
def test_a_role_of_the_customers_own_is_assumed_for_its_workspace_alone(simulator: Simulator, arn: str) -> None:
    assert own_role(simulator, list(ALLOWED.values()), "T1", arn=arn) == [True] * len(ALLOWED)
    others = {**REFUSED, "a member of another workspace": of_workspace("T2")}
    answers = dict(zip(others, own_role(simulator, list(others.values()), "T1", arn=arn), strict=True))
    assert answers == dict.fromkeys(others, False)


def test_a_role_of_several_workspaces_never_mixes_them(simulator: Simulator) -> None:
    both = ("T1", "T2")
    assert own_role(simulator, [*ALLOWED.values(), of_workspace("T2")], *both) == [True] * (len(ALLOWED) + 1)
    others = {**REFUSED, "a third workspace": of_workspace("T3")}
    answers = dict(zip(others, own_role(simulator, list(others.values()), *both), strict=True))
    assert answers == dict.fromkeys(others, False)


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::999988887777:role/painter", "arn:aws:iam::999988887777:role/other/easel/painter"]
)
def test_a_role_outside_the_path_is_out_of_the_workers_reach_even_where_it_trusts_it(
    simulator: Simulator, arn: str
) -> None:
    assert own_role(simulator, [GOOD], "T1", arn=arn) == [False]
