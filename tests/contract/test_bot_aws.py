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
from hypothesis import given
from hypothesis import strategies as st

from bot.aws.clients import AwsClients
from bot.aws.dynamo_grants import DynamoGrants
from bot.aws.s3_pictures import S3Pictures
from bot.aws.signed_backend_api import SignedBackendApi
from bot.aws.signed_json import AwsCallFailed
from bot.aws.slack_secret import read_slack_secret
from bot.aws.sqs_invocation_queue import SqsInvocationQueue
from bot.aws.sqs_retries import SqsRetries
from bot.aws.sts_sessions import StsSessions, encode_id, session_name
from bot.invocation import Invocation, Kind
from bot.ports.backend import ApiRefused, ApiUnavailable, Caller, Credentials, Grant, PictureGone, RoleRefused
from bot.ports.queue import QueueUnavailable
from bot.system_clock import SystemClock
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


def test_grants(clients: AwsClients) -> None:
    dynamodb = clients.get("dynamodb")
    table = f"grants-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "subject", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "subject", "KeyType": "HASH"}],
    )
    item = {"subject": {"S": "workspace#T1"}, "role_arn": {"S": "arn:aws:iam::1:role/r"}, "external_id": {"S": "T1"}}
    dynamodb.put_item(TableName=table, Item=item)
    grants = DynamoGrants(clients, table)

    assert grants.find("T1", "C1", "U1") == Grant("arn:aws:iam::1:role/r", "T1")
    assert grants.find("T2", "C1", "U1") is None


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


@pytest.fixture(scope="module")
def role(clients: AwsClients) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
                "Condition": {"StringEquals": {"sts:ExternalId": "T1"}},
            }
        ],
    }
    iam = clients._session.create_client("iam")
    name = f"artist-{uuid.uuid4().hex[:8]}"
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])


def test_a_session_carries_the_caller_and_is_kept(clients: AwsClients, role: str) -> None:
    sessions = StsSessions(clients, SystemClock())
    ada = sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1"))
    assert sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1")) is ada
    assert sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U2")) is not ada
    assert sessions.assume(Grant(role, "T1"), Caller("T1", "C2", "U1")) is not ada
    assert ada.expires_at > time.time() + 3_000
    assert ada.secret_key not in repr(ada) and ada.session_token not in repr(ada)

    sts = clients._session.create_client(
        "sts",
        aws_access_key_id=ada.access_key,
        aws_secret_access_key=ada.secret_key,
        aws_session_token=ada.session_token,
    )
    assert sts.get_caller_identity()["Arn"].endswith("/T1.U1")


def test_sessions_near_their_end_are_renewed(clients: AwsClients, role: str) -> None:
    clock = FakeClock()
    clock.time = time.time()
    sessions = StsSessions(clients, clock)
    first = sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1"))
    clock.sleep(3_000)
    assert sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1")) is first
    clock.sleep(400)
    assert sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1")) is not first


def test_a_wrong_external_id_is_refused(clients: AwsClients, role: str) -> None:
    with pytest.raises(RoleRefused):
        StsSessions(clients, SystemClock()).assume(Grant(role, "T2"), Caller("T2", "C1", "U1"))


@given(a=st.tuples(st.text(max_size=40), st.text(max_size=40)), b=st.tuples(st.text(max_size=40), st.text(max_size=40)))
def test_session_names_are_taken_by_sts_and_never_collide(a: tuple[str, str], b: tuple[str, str]) -> None:
    names = [session_name(Caller(team, "C1", member)) for team, member in (a, b)]
    for name in names:
        assert len(name) <= 64 and all(char.isascii() and (char.isalnum() or char in "=.") for char in name)
    assert (names[0] == names[1]) == (a == b)


def test_slacks_own_ids_stay_readable() -> None:
    assert session_name(Caller("T0EASEL01", "C1", "U0EA000001")) == "T0EASEL01.U0EA000001"
    assert encode_id("a.b") == "a=2Eb"


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

            do_GET = do_POST = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.api = SignedBackendApi(f"http://127.0.0.1:{self.server.server_port}/v1/", "us-east-1", FakeClock())


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


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(ApiUnavailable):
        SignedBackendApi("http://127.0.0.1:9", "us-east-1", FakeClock()).list_models(CREDENTIALS)
