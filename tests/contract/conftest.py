"""What the contract tests run the real adapters against: MiniStack as a child process, and SageMaker's wire form."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backend_lambda.aws.clients import Clients
from deploy.local.processes import Processes, answers, free_port

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="session")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MiniStack of this test session's own, on 127.0.0.1, with IAM enforcement on."""
    folder: Path = tmp_path_factory.mktemp("ministack")
    port = free_port()
    processes = Processes(folder)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MINISTACK_"))}
    try:
        processes.start(
            "ministack",
            ["-m", "ministack"],
            inherited
            | ENVIRONMENT
            | {
                "BIND_HOST": "127.0.0.1",
                "MINISTACK_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "AUTH": "true",
                "LAMBDA_EXECUTOR": "local",
                "TMPDIR": str(folder),
            },
        )
        url = f"http://127.0.0.1:{port}"
        processes.wait_until("ministack", lambda: answers(f"{url}/_ministack/health"), 30)
        yield url
    finally:
        processes.stop()


@pytest.fixture(scope="session")
def aws(ministack_url: str) -> Clients:
    """The backend's own clients, on MiniStack."""
    return clients_under({"AWS_ENDPOINT_URL": ministack_url}, "dynamodb", "s3", "events", "sqs", "sts")


@pytest.fixture
def jobs_table(aws: Clients) -> str:
    """A table of one test's own."""
    return make_jobs_table(aws)


def make_jobs_table(aws: Clients) -> str:
    """A table as the template makes it."""
    name = f"jobs-{uuid.uuid4().hex[:8]}"
    aws("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("job_id", "tenant", "created_order", "unsettled", "due_at")
        ],
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": first, "KeyType": "HASH"},
                    {"AttributeName": second, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": projection},
            }
            for index, first, second, projection in (
                ("by_tenant", "tenant", "created_order", "ALL"),
                ("unsettled", "unsettled", "due_at", "KEYS_ONLY"),
            )
        ],
    )
    return name


def make_access_tables(aws: Clients) -> tuple[str, str]:
    """A grants table and an audit table as the template makes them."""
    names = []
    for kind, range_key in (("grants", "entry"), ("audit", "at")):
        names.append(f"{kind}-{uuid.uuid4().hex[:8]}")
        aws("dynamodb").create_table(
            TableName=names[-1],
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "tenant", "AttributeType": "S"},
                {"AttributeName": range_key, "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "tenant", "KeyType": "HASH"},
                {"AttributeName": range_key, "KeyType": "RANGE"},
            ],
        )
    return names[0], names[1]


@pytest.fixture
def usage_table(aws: Clients) -> str:
    """A table of one test's own."""
    return make_usage_table(aws)


def make_usage_table(aws: Clients) -> str:
    """A table as the template makes it."""
    name = f"usage-{uuid.uuid4().hex[:8]}"
    aws("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "counter", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "counter", "KeyType": "HASH"}],
    )
    return name


@pytest.fixture(scope="session")
def bucket(aws: Clients) -> str:
    name = f"pictures-{uuid.uuid4().hex[:8]}"
    aws("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def endpoints_table(aws: Clients) -> str:
    name = f"endpoints-{uuid.uuid4().hex[:8]}"
    aws("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
    )
    return name


@dataclass
class SageMaker:
    """SageMaker's two APIs as far as the backend calls them: endpoints by name, and what they were asked to do.

    It answers as the service does, status codes, headers and error codes included. `faults` are error codes that the
    next calls get.
    """

    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    invocations: list[dict[str, str]] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    url: str = ""


class _SageMakerRequests(BaseHTTPRequestHandler):
    sagemaker: SageMaker

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.sagemaker.faults:
            status, code = self.sagemaker.faults.pop(0)
            self._answer(status, {"Message": "no"}, {"x-amzn-errortype": code})
        elif self.headers.get("x-amz-target") == "SageMaker.DescribeEndpoint":
            self._describe(json.loads(body)["EndpointName"])
        elif self.path.startswith("/endpoints/") and self.path.endswith("/async-invocations"):
            self._invoke(self.path.split("/")[2])
        else:
            self._answer(404, {}, {"x-amzn-errortype": "UnknownOperationException"})

    def _describe(self, name: str) -> None:
        found = self.sagemaker.endpoints.get(name)
        if found is None:
            message = f'Could not find endpoint "{name}".'
            self._answer(400, {"__type": "ValidationException", "message": message}, {})
        else:
            self._answer(200, {"EndpointName": name, **found}, {})

    def _invoke(self, name: str) -> None:
        if name not in self.sagemaker.endpoints:
            message = f"Endpoint {name} of account 123456789012 not found."
            self._answer(400, {"Message": message}, {"x-amzn-errortype": "ValidationError"})
            return
        given = {name.lower(): value for name, value in self.headers.items()}
        self.sagemaker.invocations.append({"endpoint": name, **given})
        job_id = given["x-amzn-sagemaker-inference-id"]
        self._answer(
            202,
            {"InferenceId": job_id},
            {
                "X-Amzn-SageMaker-OutputLocation": f"s3://b/async/out/{job_id}.out",
                "X-Amzn-SageMaker-FailureLocation": f"s3://b/async/failures/{job_id}.out",
            },
        )

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def sagemaker() -> Iterator[SageMaker]:
    """A SageMaker without endpoints."""
    state = SageMaker()
    handler = type("Requests", (_SageMakerRequests,), {"sagemaker": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sagemaker_clients(sagemaker: SageMaker) -> Clients:
    """The backend's own clients, on that SageMaker."""
    return clients_under({"AWS_ENDPOINT_URL": sagemaker.url}, "sagemaker", "sagemaker-runtime")


def clients_under(environment: dict[str, str], *services: str) -> Clients:
    """Clients made under an environment that other tests do not see."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in (ENVIRONMENT | environment).items():
            patch.setenv(name, value)
        clients = Clients()
        for service in services:
            clients(service)
    return clients
