"""AWS's refusals: which are passing, and how often they are tried again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from bot.aws.signed_json import AwsCallFailed, SignedJson


class Aws(HTTPServer):
    """Gives the answers that it is told to, then good ones."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, str]] = []
        self.asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Aws

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked += 1
        status, code = self.server.answers.pop(0) if self.server.answers else (200, "")
        content = json.dumps({"__type": code} if code else {"done": True}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        return


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    server = Aws()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    for name, value in (
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_address[1]}"),
    ):
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    server.server_close()


def call() -> dict[str, Any]:
    return SignedJson("dynamodb", "DYNAMODB", "DynamoDB_20120810").call("GetItem", {})


@pytest.mark.parametrize(
    "refusals",
    [
        [(400, "com.amazonaws.dynamodb.v20120810#ThrottlingException")] * 2,
        [(400, "ProvisionedThroughputExceededException")],
        [(429, "")],
        [(500, "InternalServerError"), (400, "ThrottlingException")],
    ],
)
def test_what_passes_is_tried_again(aws: Aws, refusals: list[tuple[int, str]]) -> None:
    aws.answers = [*refusals]
    assert call() == {"done": True} and aws.asked == len(refusals) + 1


@pytest.mark.parametrize(
    ("refusal", "tries"),
    [
        ((400, "ValidationException"), 1),
        ((400, "ConditionalCheckFailedException"), 1),
        ((503, "ServiceUnavailable"), 2),
        ((400, "ThrottlingException"), 3),
    ],
)
def test_what_does_not_pass_is_raised(aws: Aws, refusal: tuple[int, str], tries: int) -> None:
    aws.answers = [refusal] * 9
    with pytest.raises(AwsCallFailed, match=refusal[1]):
        call()
    assert aws.asked == tries
