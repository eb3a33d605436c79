"""Who gets through: signatures, IAM and the API's own checks on the deployed template."""

from __future__ import annotations

import json
import time
import urllib.parse
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from deploy.cloudformation import TEMPLATE
from deploy.local.bench import signed_command
from deploy.local.stack import REGION, STACK_NAME, LocalStack
from tests.e2e.jobs_on_the_stack import jobs

pytestmark = pytest.mark.stack


def post_to_slack_route(stack: LocalStack, body: str, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{stack.api_url}/slack/events", content=body, headers=headers)


def queued(stack: LocalStack) -> int:
    attributes = (
        stack.session()
        .client("sqs")
        .get_queue_attributes(QueueUrl=stack.outputs["InvocationsQueueUrl"], AttributeNames=["All"])["Attributes"]
    )
    return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


def api(stack: LocalStack, method: str, path: str, body: Any = None, *, raw: str | None = None) -> httpx.Response:
    """A call signed as the local account's root, which the API's resource policy admits."""
    content = raw if raw is not None else ("" if body is None else json.dumps(body))
    request = AWSRequest(
        method, f"{stack.api_url}{path}", data=content.encode(), headers={"Content-Type": "application/json"}
    )
    keys = stack.function_addresses()
    SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]), "execute-api", REGION).add_auth(
        request
    )
    return httpx.request(method, request.url, content=content.encode(), headers=dict(request.headers), timeout=30)


def test_the_template_that_ran_is_the_file(stack: LocalStack) -> None:
    ran = stack.session().client("cloudformation").get_template(StackName=STACK_NAME, TemplateStage="Original")
    assert ran["TemplateBody"] == TEMPLATE.read_text()


@pytest.mark.parametrize("spoil", ["signature", "timestamp", "body", "no signature"])
def test_a_forged_or_stale_request_is_refused_and_queues_nothing(stack: LocalStack, spoil: str) -> None:
    event = signed_command(stack.slack.settings.signing_secret, f"forged.{spoil}")
    headers, body = event["headers"], event["body"]
    if spoil == "signature":
        headers["x-slack-signature"] = "v0=" + "0" * 64
    elif spoil == "timestamp":
        headers["x-slack-request-timestamp"] = str(int(time.time()) - 3600)
    elif spoil == "body":
        body += "&text=another"
    else:
        del headers["x-slack-signature"]
    before = (queued(stack), len(jobs(stack)))
    assert post_to_slack_route(stack, body, headers).status_code == 401
    time.sleep(0.5)
    assert (queued(stack), len(jobs(stack))) == before


def test_an_unsigned_call_of_the_api_is_refused(stack: LocalStack) -> None:
    for method, path in (("GET", "/jobs"), ("GET", "/endpoints"), ("POST", "/endpoints/tiny/jobs"), ("GET", "/x")):
        assert httpx.request(method, f"{stack.api_url}{path}").status_code == 403, path


def test_only_the_worker_may_act_as_a_member(stack: LocalStack) -> None:
    sts = stack.session().client("sts")
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(
            RoleArn=stack.outputs["ArtistRoleArn"], RoleSessionName="T0EASEL01.U0FORGED", ExternalId="T0EASEL01"
        )


def test_the_endpoint_role_may_not_read_the_tables_nor_call_the_api(stack: LocalStack) -> None:
    roles = stack.session().client("iam").list_roles()["Roles"]
    endpoint_role = next(role for role in roles if role["RoleName"].endswith("-endpoint"))
    statements = json.dumps(
        stack.session().client("iam").get_role_policy(RoleName=endpoint_role["RoleName"], PolicyName="endpoint"),
        default=str,
    )
    assert "dynamodb" not in statements
    assert "execute-api" not in statements


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"prompt": "x", "idempotency_key": "k1", "colour": "red"}, 422, "invalid_request"),
        ({"prompt": "", "idempotency_key": "k2"}, 422, "invalid_request"),
        ({"prompt": "x" * 10_000, "idempotency_key": "k3"}, 422, "invalid_request"),
        ({"prompt": "x", "width": 10**9, "height": 64, "idempotency_key": "k4"}, 422, "invalid_request"),
        ({"prompt": "x", "width": 2048, "height": 2048, "idempotency_key": "k5"}, 422, "invalid_request"),
        ({"prompt": "x", "steps": 150, "idempotency_key": "k6"}, 422, "invalid_request"),
        ({"prompt": "x"}, 422, "invalid_request"),
        ("{not json", 400, "malformed_request"),
        ("[]", 400, "malformed_request"),
    ],
)
def test_a_wrong_request_gets_one_sentence_and_makes_no_job(
    stack: LocalStack, body: Any, status: int, code: str
) -> None:
    before = len(jobs(stack))
    raw = body if isinstance(body, str) else None
    answer = api(stack, "POST", "/endpoints/tiny/jobs", None if raw else body, raw=raw)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code
    assert answer.json()["message"]
    assert "Traceback" not in answer.text
    assert len(jobs(stack)) == before


def test_an_endpoint_that_does_not_exist_is_named_with_those_that_do(stack: LocalStack) -> None:
    answer = api(stack, "POST", "/endpoints/nowhere/jobs", {"prompt": "x", "idempotency_key": "k"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "endpoint_not_found"
    assert "tiny" in answer.json()["available"]


def test_another_system_paints_through_the_api_and_only_sees_its_own_jobs(stack: LocalStack) -> None:
    request = {"prompt": "a red ring for another system", "steps": 4, "seed": 1, "idempotency_key": "other-system-1"}
    first, again = (api(stack, "POST", "/endpoints/tiny/jobs", request) for _ in range(2))
    assert first.status_code == again.status_code == 202
    job_id = first.json()["job_id"]
    assert again.json()["job_id"] == job_id
    assert api(stack, "POST", "/endpoints/tiny/jobs", {**request, "steps": 5}).status_code == 409
    deadline = time.monotonic() + 60
    while (job := api(stack, "GET", f"/jobs/{job_id}").json())["state"] != "succeeded":
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
    png = httpx.get(job["pictures"][0]["url"])
    assert png.status_code == 200
    assert png.content.startswith(b"\x89PNG")
    owners = {entry["owner"]["tenant"] for entry in api(stack, "GET", "/jobs").json()["jobs"]}
    assert owners == {job["owner"]["tenant"]}
    slack_jobs = [record["job_id"] for record in jobs(stack) if record["tenant"] == "T0EASEL01"]
    for foreign in slack_jobs[:1] or ["job-" + "a" * 26]:
        assert api(stack, "GET", f"/jobs/{foreign}").status_code == 404
        assert api(stack, "DELETE", f"/jobs/{foreign}").status_code == 404
    assert api(stack, "DELETE", f"/jobs/{job_id}").json()["state"] == "deleted"
    assert httpx.get(job["pictures"][0]["url"]).status_code in {403, 404}


def test_url_encoded_bodies_arrive_as_slack_signed_them(stack: LocalStack) -> None:
    event = signed_command(stack.slack.settings.signing_secret, "trigger.encoded")
    body = event["body"].replace("a+red+circle", urllib.parse.quote_plus("help"))
    assert post_to_slack_route(stack, body, event["headers"]).status_code == 401
    fresh = signed_command(stack.slack.settings.signing_secret, "trigger.encoded", text="help")
    assert post_to_slack_route(stack, fresh["body"], fresh["headers"]).status_code == 200


def test_a_key_that_nobody_was_given_is_refused(stack: LocalStack) -> None:
    stranger = boto3.Session("AKIAIOSFODNN7EXAMPLE", "wrong", region_name=REGION)
    with pytest.raises(ClientError, match=r"Signature|InvalidClientTokenId|security token"):
        stranger.client("sqs", endpoint_url=stack.gateway_url).list_queues()
