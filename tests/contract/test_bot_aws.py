"""The bot's other AWS adapters on MiniStack, with IAM enforcement on."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from backend_lambda.contract.subjects import Subject, SubjectKind
from bot.aws.clients import AwsClients
from bot.aws.s3_pictures import S3Pictures
from bot.aws.signed_access_api import SignedAccessApi
from bot.aws.signed_backend_api import SignedBackendApi
from bot.aws.signed_json import AwsCallFailed
from bot.aws.slack_secret import read_slack_secret
from bot.aws.sqs_invocation_queue import SqsInvocationQueue
from bot.aws.sqs_retries import SqsRetries
from bot.invocation import Invocation, Kind
from bot.ports.backend import ApiRefused, ApiUnavailable, Credentials, PictureGone
from bot.ports.queue import QueueUnavailable
from tests.contract.test_bot_store import bot_clients  # noqa: F401 - a fixture
from tests.fakes.bot import FakeClock


@pytest.fixture(scope="module")
def clients(bot_clients: AwsClients) -> AwsClients:  # noqa: F811
    return bot_clients


def _invocation() -> Invocation:
    return Invocation(Kind.PAINT, "command-1", "T1", "C1", "U1", 1.5, order={"prompt": "un château 👩‍🚀"})


def test_an_invocation_goes_through_sqs_unchanged(clients: AwsClients) -> None:
    sqs = clients.get("sqs")
    url = sqs.create_queue(QueueName=f"invocations-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    SqsInvocationQueue(url).send(_invocation())

    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert Invocation.from_json(message["Body"]) == _invocation()


def test_a_queue_that_is_not_there_is_unavailable(clients: AwsClients) -> None:
    with pytest.raises(QueueUnavailable):
        SqsInvocationQueue("http://127.0.0.1/000000000000/nowhere").send(_invocation())


def test_a_failed_message_comes_again_sooner(clients: AwsClients) -> None:
    sqs = clients.get("sqs")
    name = f"retries-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)

    SqsRetries(clients).come_again(arn, message["ReceiptHandle"], 0)

    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["MessageId"] == message["MessageId"]


def test_the_secret(clients: AwsClients) -> None:
    secrets = clients.get("secretsmanager")
    document = {"signing_secret": "s1", "bot_token": "xoxb-1", "team_id": "T1"}
    arn = secrets.create_secret(Name=f"slack-{uuid.uuid4().hex[:8]}", SecretString=json.dumps(document))["ARN"]
    secret = read_slack_secret(arn)
    assert secret == ("s1", "", "", "xoxb-1", "T1")
    assert "s1" not in repr(secret) and "xoxb" not in repr(secret)

    secrets.put_secret_value(
        SecretId=arn, SecretString='{"signing_secret": "s1", "client_id": "1.2", "client_secret": "c1"}'
    )
    assert read_slack_secret(arn) == ("s1", "1.2", "c1", "", "")
    secrets.put_secret_value(SecretId=arn, SecretString='{"bot_token": "xoxb-1", "client_id": "1.2"}')
    with pytest.raises(ValueError, match=r"signing_secret and no client_secret and no team_id$"):
        read_slack_secret(arn)
    with pytest.raises(AwsCallFailed, match="ResourceNotFoundException"):
        read_slack_secret("nothing-of-that-name")


def test_pictures(clients: AwsClients) -> None:
    s3 = clients.get("s3")
    bucket = f"pictures-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="tenants/T1/jobs/j/0.png", Body=b"\x89PNG")
    pictures = S3Pictures(clients, bucket)

    assert pictures.read(bucket, "tenants/T1/jobs/j/0.png") == b"\x89PNG"
    for place in ((bucket, "tenants/T1/jobs/j/1.png"), ("another-bucket", "tenants/T1/jobs/j/0.png")):
        with pytest.raises(PictureGone):
            pictures.read(*place)


# ---------------------------------------------------------------- the signed API client

CREDENTIALS = Credentials("AKIA", "secret", "token", time.time() + 3_600)


class Backend:
    """Answers as it is told, in order; the last answer is repeated."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = [(200, {})]
        self.requests: list[dict[str, Any]] = []
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                seen = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
                backend.requests.append(seen)
                status, document = backend.answers.pop(0) if len(backend.answers) > 1 else backend.answers[0]
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{self.server.server_port}/v1/"
        self.api = SignedBackendApi(url, "us-east-1", FakeClock())
        self.access = SignedAccessApi(url, "us-east-1", FakeClock())


@pytest.fixture
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.server.shutdown()
    backend.server.server_close()


JOB = {"job_id": "job-1", "state": "queued", "endpoint": "tiny", "model": "tiny-world", "settings": {"prompt": "x"}}


def test_a_job_is_submitted_signed(backend: Backend) -> None:
    backend.answers = [(202, JOB)]
    job = backend.api.submit_job(CREDENTIALS, "tiny", {"prompt": "un château", "idempotency_key": "k"})

    assert (job.job_id, job.model) == ("job-1", "tiny-world")
    [request] = backend.requests
    assert (request["method"], request["path"]) == ("POST", "/v1/endpoints/tiny/jobs")
    assert json.loads(request["body"])["prompt"] == "un château"
    assert "/us-east-1/execute-api/aws4_request" in request["headers"]["Authorization"]
    assert request["headers"]["X-Amz-Security-Token"] == "token"


@pytest.mark.parametrize("first", [(429, {}), (500, {"code": "internal"}), (502, b"<html>"), (503, b"")])
def test_what_passes_is_tried_again_with_the_same_body(backend: Backend, first: tuple[int, Any]) -> None:
    backend.answers = [first, (202, JOB)]
    backend.api.submit_job(CREDENTIALS, "tiny", {"idempotency_key": "k"})
    assert len(backend.requests) == 2 and backend.requests[0]["body"] == backend.requests[1]["body"]


def test_what_does_not_pass_is_unavailable(backend: Backend) -> None:
    backend.answers = [(500, {"code": "internal", "message": "x", "reference": "r77"})]
    with pytest.raises(ApiUnavailable, match="r77"):
        backend.api.list_models(CREDENTIALS)
    backend.server.server_close()


@pytest.mark.parametrize(
    ("status", "document", "code"),
    [
        (404, {"code": "endpoint_not_found", "message": "no", "available": ["tiny"]}, "endpoint_not_found"),
        (403, {"Message": "User is not authorized"}, "not_allowed"),
        (403, b"not json", "not_allowed"),
        (503, {"code": "endpoint_unavailable", "message": "no"}, "endpoint_unavailable"),
        (400, [], "malformed_request"),
        (418, {}, "internal"),
    ],
)
def test_typed_errors_are_passed_on_at_once(backend: Backend, status: int, document: Any, code: str) -> None:
    backend.answers = [(status, document)]
    with pytest.raises(ApiRefused) as refused:
        backend.api.delete_job(CREDENTIALS, "job-1/../x")
    assert refused.value.body["code"] == code and len(backend.requests) == 1
    assert backend.requests[0]["path"] == "/v1/jobs/job-1%2F..%2Fx"


@pytest.mark.parametrize(("state", "is_cancelled"), [("cancelled", True), ("succeeded", False), ("failed", False)])
def test_cancelling_says_whether_the_job_was_still_open(backend: Backend, state: str, is_cancelled: bool) -> None:
    backend.answers = [(200, {**JOB, "state": state})]
    assert backend.api.cancel_job(CREDENTIALS, "job-1") is is_cancelled
    assert (backend.requests[0]["method"], backend.requests[0]["path"]) == ("DELETE", "/v1/jobs/job-1?only=open")


ENTRY = {"effect": "grant", "kind": "member", "id": "U1", "role": "artist", "made_at": "2026-11-25T12:00:00Z"}
SUBJECT = Subject(SubjectKind.MEMBER, "U1")


def test_grants_and_denies_are_put_and_removed_signed(backend: Backend) -> None:
    backend.answers = [
        (200, ENTRY),
        (200, {**ENTRY, "effect": "deny"}),
        (200, {"entries": [ENTRY]}),
        (200, {"entries": []}),
    ]
    assert backend.access.put_grant(CREDENTIALS, SUBJECT, {"role": "artist"}, "k 1").role == "artist"
    assert backend.access.put_deny(CREDENTIALS, SUBJECT, {"reason": "spam"}, "k2").effect == "deny"
    assert backend.access.remove_grant(CREDENTIALS, SUBJECT, "k3") is True
    assert backend.access.remove_deny(CREDENTIALS, SUBJECT, "k4") is False
    assert [(request["method"], request["path"]) for request in backend.requests] == [
        ("PUT", "/v1/grants/member/U1?idempotency_key=k+1"),
        ("PUT", "/v1/denies/member/U1?idempotency_key=k2"),
        ("DELETE", "/v1/grants/member/U1?idempotency_key=k3"),
        ("DELETE", "/v1/denies/member/U1?idempotency_key=k4"),
    ]
    assert json.loads(backend.requests[0]["body"]) == {"role": "artist"} and backend.requests[2]["body"] == b""
    assert all("/execute-api/aws4_request" in request["headers"]["Authorization"] for request in backend.requests)


def test_a_subject_never_leaves_its_place_in_the_path(backend: Backend) -> None:
    backend.answers = [(200, {"entries": []})]
    backend.access.remove_grant(CREDENTIALS, Subject(SubjectKind.MEMBER, "a@b:c"), "k")
    assert backend.requests[0]["path"] == "/v1/grants/member/a%40b%3Ac?idempotency_key=k"


def test_lists_words_and_limits_are_read(backend: Backend) -> None:
    allowance = {"name": "images_per_day", "kind": "member", "id": "U1", "each_member": False, "used": 1, "most": 2}
    backend.answers = [
        (200, {"entries": [ENTRY]}),
        (200, {"words": ["gore"]}),
        (200, {"words": ["gore", "spam"]}),
        (200, {"allowances": [allowance], "max_steps": 30}),
    ]
    assert [entry.id for entry in backend.access.list_grants(CREDENTIALS)] == ["U1"]
    assert list(backend.access.read_words(CREDENTIALS)) == ["gore"]
    assert list(backend.access.put_words(CREDENTIALS, ["gore", "spam"], ["gore"])) == ["gore", "spam"]
    assert json.loads(backend.requests[-1]["body"]) == {"words": ["gore", "spam"], "was": ["gore"]}
    limits = backend.access.read_limits(CREDENTIALS)
    assert (limits.allowances[0].most, limits.max_steps) == (2, 30)
    paths = [(request["method"], request["path"]) for request in backend.requests]
    assert paths == [("GET", "/v1/grants"), ("GET", "/v1/words"), ("PUT", "/v1/words"), ("GET", "/v1/limits")]


def _record(number: int) -> dict[str, Any]:
    facts = {"member": "U1", "principal": "arn", "action": "put_grant", "subject": "member#U2"}
    return {"id": f"a{number}", "at": "2026-11-25T12:00:00Z", **facts}


def test_audit_pages_are_read_until_there_are_enough(backend: Backend) -> None:
    backend.answers = [
        (200, {"entries": [_record(1)], "next": "p/1="}),
        (200, {"entries": [], "next": "p2"}),
        (200, {"entries": [_record(2), _record(3)], "next": "p3"}),
    ]
    assert [record.id for record in backend.access.list_audit(CREDENTIALS, "U1", 2)] == ["a1", "a2"]
    assert [request["path"] for request in backend.requests] == [
        "/v1/audit?limit=2&member=U1",
        "/v1/audit?limit=1&member=U1&next=p%2F1%3D",
        "/v1/audit?limit=1&member=U1&next=p2",
    ]
    backend.answers = [(200, {"entries": [], "next": None})]
    assert list(backend.access.list_audit(CREDENTIALS, None, 20)) == []


def test_a_limit_that_is_reached_is_not_tried_again(backend: Backend) -> None:
    limit = {"name": "images_per_day", "kind": "member", "id": "U1", "each_member": False, "used": 50, "most": 50}
    backend.answers = [(429, {"code": "limit_reached", "message": "no", "limit": limit})]
    with pytest.raises(ApiRefused) as refused:
        backend.api.submit_job(CREDENTIALS, "tiny", {"idempotency_key": "k"})
    assert len(backend.requests) == 1 and refused.value.body["limit"] == limit


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(ApiUnavailable):
        SignedBackendApi("http://127.0.0.1:9", "us-east-1", FakeClock()).list_models(CREDENTIALS)
