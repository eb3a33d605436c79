"""`python -m deploy trust-policy` and `role-policy`."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.actions import ROLE_ACTIONS, ROUTES
from deploy.__main__ import main
from deploy.own_roles import MAX_TRUST_POLICY_CHARS, NoSuchPolicy, api_arn, role_policy, trust_policy

WORKER = "arn:aws:iam::111122223333:role/easel-WorkerRole-ABCDEF"
OUTPUTS = {"WorkerRoleArn": WORKER, "ApiUrl": "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1"}


class Session:
    """An account with one stack."""

    def __init__(self, stack: str = "easel") -> None:
        self._stack = stack

    def client(self, service: str) -> Session:
        assert service == "cloudformation"
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        assert StackName == self._stack
        return {"Stacks": [{"Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]}]}


def printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str, stack: str = "easel"
) -> Any:
    monkeypatch.setattr(sys, "argv", ["deploy", *arguments])
    assert main(Session(stack)) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["deploy", *arguments])
    assert main(Session()) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    return said.err


def test_the_trust_policy_names_the_worker_and_the_workspace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = printed(capsys, monkeypatch, "trust-policy", "--workspace", "T0123ABCD")
    assume, tag, identity = policy["Statement"]
    for statement in (assume, tag, identity):
        assert (statement["Effect"], statement["Principal"]) == ("Allow", {"AWS": WORKER})
    assert (assume["Action"], assume["Condition"]) == (
        "sts:AssumeRole",
        {
            "StringEquals": {"sts:ExternalId": "T0123ABCD", "aws:RequestTag/workspace": "T0123ABCD"},
            "StringLike": {"sts:RoleSessionName": "T0123ABCD.*", "sts:SourceIdentity": "T0123ABCD.*"},
        },
    )
    assert tag["Action"] == "sts:TagSession"
    assert tag["Condition"]["StringEquals"] == {"aws:RequestTag/workspace": "T0123ABCD"}
    assert (identity["Action"], identity["Condition"]) == (
        "sts:SetSourceIdentity",
        {"StringLike": {"sts:SourceIdentity": ["T0123ABCD.*"]}},
    )


def test_the_stack_is_named_before_or_after_the_verb(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["trust-policy", "--workspace", "T1"]
    before = printed(capsys, monkeypatch, "--stack", "mine", *arguments, stack="mine")
    assert before == printed(capsys, monkeypatch, *arguments, "--stack", "mine", stack="mine")


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_the_role_policy_has_the_roles_routes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    policy = printed(capsys, monkeypatch, "role-policy", "--role", role)
    api = "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4e5/v1"
    assert {path for statement in policy["Statement"] for path in statement["Resource"]} == {
        f"{api}/{route.replace('{model}', '*')}" for action in ROLE_ACTIONS[role] for route in ROUTES[action]
    }
    assert {statement["Action"] for statement in policy["Statement"]} == {"execute-api:Invoke"}


def test_models_narrow_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    policy = printed(capsys, monkeypatch, "role-policy", "--role", "artist", "--models", "tiny,large")
    [paint] = [statement["Resource"] for statement in policy["Statement"] if statement["Sid"] == "Paint"]
    assert [path.split("/v1/")[1] for path in paint] == ["POST/endpoints/tiny/jobs", "POST/endpoints/large/jobs"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trust-policy", "--workspace", "acme"], "workspace"),
        (["trust-policy", "--workspace", "T1*"], "workspace"),
        (["trust-policy", "--workspace", "E1"], "workspace"),
        (["role-policy", "--role", "artist", "--models", "tiny,*"], "endpoint"),
        (["trust-policy", *(word for n in range(90) for word in ("--workspace", f"T0123ABC{n}"))], "several roles"),
    ],
)
def test_what_makes_no_policy_is_said_in_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    assert says in refused(capsys, monkeypatch, *arguments)


@settings(deadline=None)
@given(st.lists(st.text(max_size=12) | st.from_regex(r"T[A-Z0-9]{1,12}", fullmatch=True), max_size=12))
def test_no_policy_has_a_wildcard_that_was_put_in(workspaces: list[str]) -> None:
    try:
        policy = trust_policy(WORKER, workspaces)
    except NoSuchPolicy:
        return
    text = json.dumps(policy)
    assert len("".join(text.split())) <= MAX_TRUST_POLICY_CHARS
    assert set(policy["Statement"][2]["Condition"]["StringLike"]["sts:SourceIdentity"]) == {
        f"{workspace}.*" for workspace in workspaces
    }
    named = policy["Statement"][0]["Condition"]["StringEquals"]["aws:RequestTag/workspace"]
    assert set(named if isinstance(named, list) else [named]) == set(workspaces)
    assert not set("*?$") & set("".join(workspaces))


def test_the_apis_arn_takes_account_and_partition_from_the_worker() -> None:
    outputs = {
        "WorkerRoleArn": "arn:aws-cn:iam::444455556666:role/w",
        "ApiUrl": "https://abc.execute-api.cn-north-1.amazonaws.com.cn/v1",
    }
    assert api_arn(outputs) == "arn:aws-cn:execute-api:cn-north-1:444455556666:abc/v1"
    with pytest.raises(NoSuchPolicy):
        api_arn({**outputs, "ApiUrl": "http://example.com"})


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(NoSuchPolicy, match="artist"):
        role_policy("arn:aws:execute-api:us-east-1:111122223333:a/v1", "painter")


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_statement_ids_are_what_iam_takes(role: str) -> None:
    """Letters and digits; https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html"""
    policy = role_policy("arn:aws:execute-api:us-east-1:111122223333:a/v1", role)
    ids = [statement["Sid"] for statement in policy["Statement"]]
    assert all(one.isalnum() for one in ids) and len(set(ids)) == len(ids)
