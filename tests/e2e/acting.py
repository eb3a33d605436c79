"""Acting as members on the stack, the way the worker does it: its own role, then the member's, then a signed call."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deploy.local.aws_gateway import PROOF_HEADER
from deploy.local.stack import REGION, LocalStack
from tests.policies.attempts import Attempt

WORKSPACE = "T0EASEL01"


def worker_sts(stack: LocalStack) -> Any:
    """STS as the worker function calls it: under its execution role, which Lambda alone is trusted to assume."""
    answer = httpx.post(
        f"{stack.gateway_url}/_easel/service-session",
        json={
            "role_arn": stack.outputs["WorkerRoleArn"],
            "service": "lambda.amazonaws.com",
            "session_name": "easel-worker",
        },
        headers={PROOF_HEADER: stack.function_addresses()["AWS_SECRET_ACCESS_KEY"]},
    ).json()
    assert answer["allowed"], answer
    given = answer["credentials"]
    return boto3.client(
        "sts",
        endpoint_url=stack.gateway_url,
        region_name=REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )


def of_member(member: str, workspace: str = WORKSPACE, channel: str = "") -> Attempt:
    """What the worker asks STS for. Without a channel, a session that names workspace and member alone."""
    identity = f"{workspace}.{member}"
    return Attempt(
        external_id=workspace,
        session_name=f"{identity}.{channel}" if channel else identity,
        source_identity=identity,
        tags={"workspace": workspace, "channel": channel or "C0MATRIX", "member": member},
    )


def assume(sts: Any, role_arn: str, attempt: Attempt, session_policy: str | None = None) -> Credentials:
    """The member's credentials; `session_policy` is the channel's guardrail."""
    narrowed = {"Policy": session_policy} if session_policy else {}
    given = sts.assume_role(RoleArn=role_arn, **attempt.arguments(), **narrowed)["Credentials"]
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def signed(
    stack: LocalStack,
    credentials: Credentials,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> httpx.Request:
    """A signed request, ready to be sent, once or more often; `at` is when it claims to be signed, now if left out."""
    content = json.dumps(body).encode() if body is not None else b""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    request = AWSRequest(method, f"{stack.api_url}{path}", data=content, headers=headers)
    moment = at or datetime.now(UTC)
    with patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: moment.replace(tzinfo=None)):
        SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
    return httpx.Request(method, request.url, content=content, headers=dict(request.headers))


def send(request: httpx.Request) -> httpx.Response:
    """The answer."""
    with httpx.Client(timeout=30) as client:
        return client.send(request)


def call(
    stack: LocalStack, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None = None
) -> httpx.Response:
    """A signed call."""
    return send(signed(stack, credentials, method, path, body))


def submit(stack: LocalStack, credentials: Credentials, endpoint: str = "tiny") -> str:
    """A job of the caller's workspace; its id."""
    body = {"prompt": "a red circle", "steps": 1, "seed": 1, "idempotency_key": uuid.uuid4().hex}
    answer = call(stack, credentials, "POST", f"/endpoints/{endpoint}/jobs", body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])
