"""IAM's policy simulator on the local AWS, asked as the worker: who may ask about which role, what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fakes.local_aws import ACCOUNT, REGION, LocalAws, policy

API = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abcdefghij/v1"
TRUST = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="module")
def roles(aws: LocalAws) -> dict[str, str]:
    """An artist's role, a customer's below a path, and one that nobody may be asked about."""
    may_paint = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{API}/POST/endpoints/*/jobs"}
    found = {name: aws.role(name, [may_paint], TRUST) for name in ("stack-artist", "somebody-elses")}
    iam = aws.client("iam")
    document = policy([TRUST])
    arn = iam.create_role(RoleName="painters", Path="/easel/", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName="painters", PolicyName="only", PolicyDocument=policy([may_paint]))
    return {**found, "painters": arn}


@pytest.fixture(scope="module")
def worker(aws: LocalAws, roles: dict[str, str]) -> Any:
    """IAM, as a role with the worker's rights to simulate."""
    statements = [
        {
            "Effect": "Allow",
            "Action": "iam:SimulatePrincipalPolicy",
            "Resource": [roles["stack-artist"], f"arn:aws:iam::{ACCOUNT}:role/easel/*"],
        },
        {"Effect": "Allow", "Action": "iam:SimulateCustomPolicy", "Resource": "*"},
    ]
    return aws.client("iam", aws.assume(aws.role("worker", statements, TRUST)))


def decision(worker: Any, role: str, route: str) -> str:
    answer = worker.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["execute-api:Invoke"], ResourceArns=[f"{API}/{route}"]
    )
    return str(answer["EvaluationResults"][0]["EvalDecision"])


@pytest.mark.parametrize("name", ["stack-artist", "painters"])
def test_the_worker_may_ask_about_the_roles_that_it_may_assume(worker: Any, roles: dict[str, str], name: str) -> None:
    assert decision(worker, roles[name], "POST/endpoints/tiny/jobs") == "allowed"
    assert decision(worker, roles[name], "PUT/grants/member/U1") == "implicitDeny"


def test_it_may_ask_about_no_other(worker: Any, roles: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        decision(worker, roles["somebody-elses"], "POST/endpoints/tiny/jobs")
    with pytest.raises(ClientError, match="AccessDenied"):
        worker.get_role(RoleName="stack-artist")


def test_it_may_ask_about_a_policy_by_itself(worker: Any) -> None:
    allowed = policy([{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{API}/GET/jobs"}])
    answer = worker.simulate_custom_policy(
        PolicyInputList=[allowed], ActionNames=["execute-api:Invoke"], ResourceArns=[f"{API}/GET/jobs"]
    )
    assert answer["EvaluationResults"][0]["EvalDecision"] == "allowed"
