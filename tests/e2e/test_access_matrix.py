"""Every role on every route of the deployed template, with IAM enforcement on; and ways around it, which all fail."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from backend_lambda.contract.actions import ROLE_ACTIONS, Action
from backend_lambda.contract.guardrails import session_policy
from deploy.local.stack import LocalStack
from deploy.own_roles import api_arn, role_policy, trust_policy
from tests.e2e.acting import WORKSPACE, assume, call, of_member, send, signed, submit, worker_sts
from tests.e2e.matrix import ROLE_OUTPUTS, Cell, Guardrail, cells
from tests.policies.attempts import REFUSED, Attempt
from tests.policies.rendered import template
from tests.policies.requests import example

pytestmark = pytest.mark.stack

GUARDRAILS = [
    *(Guardrail((action,)) for action in Action),
    Guardrail((Action.SEE, Action.PAINT), ("tiny",)),
    Guardrail((Action.SEE, Action.PAINT), ("another",)),
]


@pytest.fixture(scope="module")
def sts(stack: LocalStack) -> Any:
    """STS as the worker."""
    return worker_sts(stack)


@pytest.fixture(scope="module")
def artist(stack: LocalStack, sts: Any) -> Credentials:
    """A member who paints."""
    return assume(sts, stack.outputs[ROLE_OUTPUTS["artist"]], of_member("U0ARTIST"))


@pytest.fixture
def job_id(stack: LocalStack, artist: Credentials) -> str:
    """A job of the workspace."""
    return submit(stack, artist)


def answered(stack: LocalStack, credentials: Credentials, cell: Cell, job_id: str) -> int:
    request = cell.request(job_id=job_id)
    body = cell.body
    if body and cell.route[1].endswith(("/jobs", "/trainings")):
        body = {**body, "idempotency_key": uuid.uuid4().hex}
    return call(stack, credentials, request.method, request.path, body).status_code


def problems(stack: LocalStack, credentials: Credentials, some: list[Cell], job_id: str) -> list[str]:
    found = [cell.problem(answered(stack, credentials, cell, job_id)) for cell in some]
    return [problem for problem in found if problem]


def can_assume(sts: Any, role_arn: str, attempt: Attempt) -> bool:
    try:
        assume(sts, role_arn, attempt)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        return False
    return True


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_a_role_gets_through_where_it_is_meant_to_and_nowhere_else(
    stack: LocalStack, sts: Any, job_id: str, role: str
) -> None:
    credentials = assume(sts, stack.outputs[ROLE_OUTPUTS[role]], of_member(f"U0{role.upper()}"))
    assert problems(stack, credentials, list(cells(role)), job_id) == []


@pytest.mark.parametrize("guardrail", GUARDRAILS, ids=lambda one: "+".join((*one.actions, *one.models)))
def test_a_channels_guardrail_narrows_even_an_admin(
    stack: LocalStack, sts: Any, job_id: str, guardrail: Guardrail
) -> None:
    policy = session_policy(guardrail.actions, guardrail.models, api_arn(stack.outputs))
    credentials = assume(sts, stack.outputs[ROLE_OUTPUTS["admin"]], of_member("U0ADMIN"), policy)
    assert problems(stack, credentials, list(cells("admin", guardrail)), job_id) == []


def test_a_guardrail_gives_an_artist_nothing(stack: LocalStack, sts: Any, job_id: str) -> None:
    everything = Guardrail(tuple(Action))
    policy = session_policy(everything.actions, (), api_arn(stack.outputs))
    credentials = assume(sts, stack.outputs[ROLE_OUTPUTS["artist"]], of_member("U0ARTIST"), policy)
    assert problems(stack, credentials, list(cells("artist", everything)), job_id) == []


def test_a_role_of_the_customers_own_serves_its_workspace_alone(stack: LocalStack, sts: Any) -> None:
    iam = stack.session().client("iam")
    name = f"own-{uuid.uuid4().hex[:8]}"
    trust = json.dumps(trust_policy(stack.outputs["WorkerRoleArn"], [WORKSPACE]))
    arn = iam.create_role(RoleName=name, Path="/easel/", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = json.dumps(role_policy(api_arn(stack.outputs), "artist"))
    iam.put_role_policy(RoleName=name, PolicyName="easel", PolicyDocument=policy)
    credentials = assume(sts, arn, of_member("U0ARTIST"))
    for cell in cells("artist"):
        if cell.route[0] == "GET" and "{" not in cell.route[1] and cell.is_meant:
            assert call(stack, credentials, *cell.route).status_code != 403, cell
        if not cell.is_meant:
            request = cell.request()
            assert call(stack, credentials, request.method, request.path, cell.body).status_code == 403, cell
    assert not can_assume(sts, arn, of_member("U0ARTIST", workspace="T0OTHER01"))


@pytest.mark.parametrize("role", ROLE_ACTIONS)
def test_a_role_is_assumed_in_no_other_way_than_the_workers(stack: LocalStack, sts: Any, role: str) -> None:
    arn = stack.outputs[ROLE_OUTPUTS[role]]
    assert [why for why, attempt in REFUSED.items() if can_assume(sts, arn, attempt)] == []
    assert can_assume(sts, arn, of_member("U0ADMIN"))
    assert not can_assume(stack.session().client("sts"), arn, of_member("U0ADMIN"))


def test_unsigned_requests_are_refused_everywhere(stack: LocalStack) -> None:
    for method, path in template().routes(is_open=False):
        request = example(method, path)
        answer = httpx.request(method, f"{stack.api_url}{request.path}", json={})
        assert answer.status_code == 403, request


def test_a_signature_is_good_for_what_was_signed_and_nothing_else(
    stack: LocalStack, sts: Any, artist: Credentials, job_id: str
) -> None:
    good = signed(stack, artist, "GET", f"/jobs/{job_id}")
    assert send(good).status_code == 200
    body = {"prompt": "a red circle", "steps": 1, "idempotency_key": uuid.uuid4().hex}
    paint = signed(stack, artist, "POST", "/endpoints/tiny/jobs", body)
    admin = assume(sts, stack.outputs[ROLE_OUTPUTS["admin"]], of_member("U0ADMIN"))
    as_admin = signed(stack, admin, "GET", f"/jobs/{job_id}").headers["x-amz-security-token"]
    replayed = {
        "another method": httpx.Request("DELETE", good.url, headers=good.headers),
        "another path": httpx.Request("GET", f"{stack.api_url}/jobs", headers=good.headers),
        "a query": httpx.Request("GET", f"{good.url}?only=open", headers=good.headers),
        "another body": httpx.Request(
            "POST", paint.url, headers=paint.headers, content=paint.content.replace(b"red", b"RED")
        ),
        "another session's token": httpx.Request(
            "GET", good.url, headers={**good.headers, "x-amz-security-token": as_admin}
        ),
        "no token": httpx.Request(
            "GET", good.url, headers={k: v for k, v in good.headers.items() if k != "x-amz-security-token"}
        ),
        "an old date": httpx.Request("GET", good.url, headers={**good.headers, "x-amz-date": "20200101T000000Z"}),
        "signed an hour ago": signed(
            stack, artist, "GET", f"/jobs/{job_id}", at=datetime.now(UTC) - timedelta(hours=1)
        ),
    }
    answers = {why: send(request).status_code for why, request in replayed.items()}
    assert answers == dict.fromkeys(replayed, 403)


def test_another_workspaces_job_is_not_there_whichever_role_asks(stack: LocalStack, sts: Any, job_id: str) -> None:
    for role in ROLE_ACTIONS:
        stranger = assume(sts, stack.outputs[ROLE_OUTPUTS[role]], of_member("U0ADMIN", workspace="T0OTHER01"))
        for method in ("GET", "DELETE"):
            assert call(stack, stranger, method, f"/jobs/{job_id}").status_code == 404
        listed = call(stack, stranger, "GET", "/jobs").json()["jobs"]
        assert job_id not in [job["job_id"] for job in listed]


def test_what_a_request_says_about_its_caller_is_not_believed(stack: LocalStack, artist: Credentials) -> None:
    body = {"prompt": "a red circle", "steps": 1, "idempotency_key": uuid.uuid4().hex}
    request = signed(stack, artist, "POST", "/endpoints/tiny/jobs", body)
    for name in ("x-tenant", "x-member", "x-amzn-user-arn", "x-slack-user", "x-forwarded-user"):
        request.headers[name] = "arn:aws:sts::000000000000:assumed-role/easel-admin/T0OTHER01.U0ADMIN"
    answer = send(request)
    assert answer.status_code == 202
    assert answer.json()["owner"] == {"tenant": WORKSPACE, "member": "U0ARTIST"}
    for field in ("tenant", "member", "owner"):
        claimed = {**body, "idempotency_key": uuid.uuid4().hex, field: "T0OTHER01"}
        assert call(stack, artist, "POST", "/endpoints/tiny/jobs", claimed).status_code == 422
