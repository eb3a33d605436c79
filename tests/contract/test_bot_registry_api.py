"""The registry's API client against an HTTP server: paths, signatures, pages, refusals, uploads; files from Slack."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from backend_lambda.contract.loras import LoraUpload
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import TrainingPolicy
from bot.aws.signed_registry_api import SignedRegistryApi
from bot.ports.backend import ApiRefused, ApiUnavailable, Credentials
from bot.ports.slack import FileTooLarge, SlackRefused, SlackUnavailable
from bot.slack_downloads import download
from tests.fakes.bot import FakeClock
from tests.fakes.bot_access import FakeAccess, FakeIam
from tests.fakes.bot_registry import FakeRegistry

CREDENTIALS = Credentials("AKIA", "secret", "token", time.time() + 3_600)


class Server:
    """Answers as it is told, in order; the last answer is repeated."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = [(200, {})]
        self.requests: list[tuple[str, str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.requests.append((self.command, self.path, body))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, document = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.api = SignedRegistryApi(f"{self.url}/v1/", "us-east-1", FakeClock())

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def registry() -> FakeRegistry:
    clock, iam = FakeClock(), FakeIam()
    FakeAccess(clock, iam)
    return FakeRegistry(clock, iam)


def test_lists_are_read_page_by_page_as_far_as_it_takes(server: Server, registry: FakeRegistry) -> None:
    loras = [registry.add_lora("T1", f"l{at}").model_dump(mode="json") for at in range(4)]
    trainings = [registry.add_training("T1", "x", TrainingState.RUNNING).model_dump(mode="json")]
    server.answers = [
        (200, {"loras": loras[:2], "next": "a b&c"}),
        (200, {"loras": [], "next": "d"}),
        (200, {"loras": loras[2:], "next": "e"}),
        (200, {"trainings": trainings}),
    ]
    assert [one.name for one in server.api.list_loras(CREDENTIALS, 3)] == ["l0", "l1", "l2"]
    assert [one.name for one in server.api.list_trainings(CREDENTIALS, 9)] == ["x"]
    paths = [(method, path) for method, path, _ in server.requests]
    assert paths == [
        ("GET", path) for path in ("/v1/loras", "/v1/loras?next=a+b%26c", "/v1/loras?next=d", "/v1/trainings")
    ]
    assert all("AWS4-HMAC-SHA256" in headers["authorization"] for headers in server.headers)


def test_a_list_without_an_end_is_given_up(server: Server) -> None:
    server.answers = [(200, {"loras": [], "next": "again"})]
    assert server.api.list_loras(CREDENTIALS, 10) == [] and len(server.requests) == 40


def test_every_route_is_called_as_the_contract_says(server: Server, registry: FakeRegistry) -> None:
    lora = registry.add_lora("T1", "mascot").model_dump(mode="json")
    training = registry.add_training("T1", "x", TrainingState.CANCELLED).model_dump(mode="json")
    expires_at = datetime(2026, 11, 25, tzinfo=UTC).isoformat()
    upload = {"name": "ink", "version": 1, "url": "https://s3/x", "headers": {"a": "b"}, "expires_at": expires_at}
    policy = TrainingPolicy(approvals_place="C9", keep_dataset_days=3)
    server.answers = [
        (200, {"versions": [lora]}), (200, lora), (200, {"versions": []}), (200, {"versions": []}), (201, upload),
        (200, lora), (200, training), (200, training), (200, training), (200, {}), (200, policy.model_dump()),
    ]  # fmt: skip
    api = server.api
    assert api.read_lora(CREDENTIALS, "mascot")[0].name == "mascot"
    assert api.change_lora(CREDENTIALS, "mascot", {"is_retired": True}).name == "mascot"
    api.delete_lora(CREDENTIALS, "a/b", None)
    api.delete_lora(CREDENTIALS, "mascot", 2)
    assert api.import_lora(CREDENTIALS, {"name": "ink"}).headers == {"a": "b"}
    assert api.check_lora(CREDENTIALS, "ink").version == 1
    assert api.read_training(CREDENTIALS, "trn-a").state is TrainingState.CANCELLED
    assert api.cancel_training(CREDENTIALS, "trn-a").state is TrainingState.CANCELLED
    api.delete_training(CREDENTIALS, "trn-a")
    assert api.read_training_policy(CREDENTIALS) == TrainingPolicy()
    assert api.put_training_policy(CREDENTIALS, policy) == policy
    assert [(method, path.removeprefix("/v1"), body) for method, path, body in server.requests] == [
        ("GET", "/loras/mascot", b""),
        ("PATCH", "/loras/mascot", b'{"is_retired": true}'),
        ("DELETE", "/loras/a%2Fb", b""),
        ("DELETE", "/loras/mascot?version=2", b""),
        ("POST", "/loras", b'{"name": "ink"}'),
        ("POST", "/loras/ink/check", b""),
        ("GET", "/trainings/trn-a", b""),
        ("DELETE", "/trainings/trn-a?only=open", b""),
        ("DELETE", "/trainings/trn-a", b""),
        ("GET", "/training-policy", b""),
        ("PUT", "/training-policy", json.dumps(policy.model_dump()).encode()),
    ]


def test_a_refusal_says_what_the_backend_says(server: Server) -> None:
    server.answers = [(404, {"code": "lora_not_found", "message": "no", "given": "x", "available": ["y"]})]
    with pytest.raises(ApiRefused) as refused:
        server.api.read_lora(CREDENTIALS, "x")
    assert refused.value.body["available"] == ["y"]


def _upload(url: str) -> LoraUpload:
    return LoraUpload(
        name="ink",
        version=1,
        url=url,
        headers={"content-type": "application/octet-stream"},
        expires_at=datetime.now(UTC),
    )


def test_a_file_goes_to_its_url_unsigned_with_exactly_these_headers(server: Server) -> None:
    server.answers = [(500, b""), (200, b"")]
    server.api.upload_lora(_upload(f"{server.url}/put?X-Amz-Signature=s"), b"\x00bytes")
    assert server.requests == [("PUT", "/put?X-Amz-Signature=s", b"\x00bytes")] * 2
    assert all("authorization" not in headers for headers in server.headers)
    assert server.headers[0]["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("status", [409, 412])
def test_a_file_that_is_there_already_is_there(server: Server, status: int) -> None:
    server.answers = [(status, b"")]
    server.api.upload_lora(_upload(f"{server.url}/put"), b"x")
    assert server.requests == [("PUT", "/put", b"x")], "it is not sent again"


def test_an_upload_that_fails_tells_nothing_of_the_url(server: Server) -> None:
    server.answers = [(403, b"")]
    for url in (f"{server.url}/put?X-Amz-Signature=hush", "http://127.0.0.1:9/put?X-Amz-Signature=hush"):
        with pytest.raises(ApiUnavailable) as failed:
            server.api.upload_lora(_upload(url), b"x")
        assert "hush" not in str(failed.value)


# ---------------------------------------------------------------- files from Slack


def test_a_file_is_read_with_the_token_from_the_one_host(server: Server) -> None:
    server.answers = [(200, b"content")]
    assert download(f"{server.url}/files/1", f"{server.url}/api/", "xoxb-1", 7) == b"content"
    assert server.headers[0]["authorization"] == "Bearer xoxb-1"
    with pytest.raises(FileTooLarge):
        download(f"{server.url}/files/1", f"{server.url}/api/", "xoxb-1", 6)


@pytest.mark.parametrize(
    "url", ["http://elsewhere.example/1", "https://files.slack.com.evil.example/1", "", "file:///etc"]
)
def test_the_token_goes_nowhere_else(url: str) -> None:
    with pytest.raises(SlackRefused):
        download(url, "https://slack.com/api/", "xoxb-1", 10)


@pytest.mark.parametrize(("status", "kind"), [(302, SlackRefused), (404, SlackRefused), (503, SlackUnavailable)])
def test_what_is_no_file_is_not_taken_for_one(server: Server, status: int, kind: type[Exception]) -> None:
    server.answers = [(status, b"<html>")]
    with pytest.raises(kind):
        download(f"{server.url}/files/1", f"{server.url}/api/", "xoxb-1", 10)
    assert len(server.requests) == 1
