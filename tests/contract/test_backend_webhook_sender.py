"""The contract of `Sender`, over the fake and over HTTP; and how the real one deals with hosts that mean no good."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from backend_lambda.contract.webhooks import TroubleCode
from backend_lambda.outbound.system_resolver import SystemResolver
from backend_lambda.outbound.webhook_sender import WebhookSender
from backend_lambda.webhooks.ports import Answer, HostUnknown, NotDelivered, Sender
from tests.fakes.webhook_receiver import Authority, RawReceiver, Told, WebhookReceiver
from tests.fakes.webhooks import FakeResolver, FakeSender

NAME = "hooks.example.com"


@dataclass
class Way:
    """A sender, a URL that it reaches, how to tell its receiver what to answer, and the bodies that arrived."""

    port: Sender
    url: str
    tell: Callable[[int, int | None], None]
    bodies: Callable[[], list[bytes]]


@pytest.fixture(params=["fake", "http"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    if request.param == "fake":
        fake = FakeSender()

        def tell_fake(status: int, seconds: int | None) -> None:
            answer = Answer(status, None if seconds is None else timedelta(seconds=seconds))
            fake.answers.setdefault("https://hooks.example.com/", []).append(answer)

        yield Way(fake, "https://hooks.example.com/", tell_fake, lambda: [one.body for one in fake.received])
        return
    with WebhookReceiver() as receiver:

        def tell(status: int, seconds: int | None) -> None:
            headers = {} if seconds is None else {"Retry-After": str(seconds)}
            receiver.answers.append(Told(status, headers, b"thanks" if status == 200 else b""))

        sender = WebhookSender(SystemResolver(), to_loopback=True)
        yield Way(sender, receiver.url, tell, lambda: [arrival.body for arrival in receiver.arrivals])


@pytest.mark.parametrize("status", [200, 204, 301, 400, 410, 429, 500])
def test_the_status_comes_back_and_no_redirect_is_followed(way: Way, status: int) -> None:
    way.tell(status, None)
    assert way.port.post(way.url, {"webhook-id": "msg_1"}, b'{"a": 1}') == Answer(status)
    assert way.bodies() == [b'{"a": 1}']


def test_what_the_receiver_asks_for_comes_back(way: Way) -> None:
    way.tell(503, 120)
    assert way.port.post(way.url, {}, b"{}") == Answer(503, timedelta(seconds=120))


# ---------------------------------------------------------------- the real one


def failing(sender: WebhookSender, url: str) -> TroubleCode:
    """Why a try failed."""
    with pytest.raises(NotDelivered) as failed:
        sender.post(url, {}, b"{}")
    return failed.value.code


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_the_request_is_whole_and_says_who_sends_it() -> None:
    with WebhookReceiver() as receiver:
        sender = WebhookSender(SystemResolver(), to_loopback=True)
        sender.post(f"{receiver.url}?a=b%20c", {"user-agent": "Easel/1", "webhook-id": "msg_1"}, b"\x00body")
        [arrival] = receiver.arrivals
    assert (arrival.path, arrival.body) == ("/hook?a=b%20c", b"\x00body")
    assert arrival.headers == {
        "user-agent": "Easel/1",
        "webhook-id": "msg_1",
        "host": f"127.0.0.1:{receiver.port}",
        "connection": "close",
        "content-length": "5",
    }


def test_the_connection_goes_to_the_checked_address_and_tls_verifies_the_name(authority: Authority) -> None:
    # No resolver of this machine knows the name: a second look-up would fail.
    resolver = FakeResolver({NAME: ["127.0.0.1"]})
    with WebhookReceiver(authority.serving(NAME)) as receiver:
        sender = WebhookSender(resolver, to_loopback=True, tls=authority.trusting)
        url = f"https://{NAME}:{receiver.port}/hook"
        assert sender.post(url, {}, b"{}") == Answer(204)
        assert receiver.arrivals[0].headers["host"] == f"{NAME}:{receiver.port}"
    assert resolver.asked == [NAME]


def test_a_name_that_changes_after_the_check_changes_nothing(authority: Authority) -> None:
    class Rebinding(FakeResolver):
        """The first answer is the receiver; every later one is the metadata service."""

        def addresses(self, host: str) -> list:
            found = super().addresses(host)
            self.hosts[NAME] = ["169.254.169.254"]
            return found

    with WebhookReceiver(authority.serving(NAME)) as receiver:
        sender = WebhookSender(Rebinding({NAME: ["127.0.0.1"]}), to_loopback=True, tls=authority.trusting)
        url = f"https://{NAME}:{receiver.port}/hook"
        assert sender.post(url, {}, b"{}") == Answer(204)
        assert failing(sender, url) is TroubleCode.ADDRESS_REFUSED
        assert len(receiver.arrivals) == 1


@pytest.mark.parametrize("names", [["other.example.com"], ["127.0.0.1"], ["example.com"]])
def test_a_certificate_for_another_name_is_refused(authority: Authority, names: list[str]) -> None:
    with WebhookReceiver(authority.serving(*names)) as receiver:
        sender = WebhookSender(FakeResolver({NAME: ["127.0.0.1"]}), to_loopback=True, tls=authority.trusting)
        assert failing(sender, f"https://{NAME}:{receiver.port}/hook") is TroubleCode.TLS
        assert receiver.arrivals == []


def test_an_authority_that_nobody_knows_is_refused(authority: Authority) -> None:
    with WebhookReceiver(authority.serving(NAME)) as receiver:
        sender = WebhookSender(FakeResolver({NAME: ["127.0.0.1"]}), to_loopback=True)
        assert failing(sender, f"https://{NAME}:{receiver.port}/hook") is TroubleCode.TLS
        assert receiver.arrivals == []


def test_an_address_is_verified_as_such(authority: Authority) -> None:
    with WebhookReceiver(authority.serving("127.0.0.1")) as receiver:
        sender = WebhookSender(SystemResolver(), to_loopback=True, tls=authority.trusting)
        assert sender.post(f"https://127.0.0.1:{receiver.port}/", {}, b"{}") == Answer(204)


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        (NAME, ["127.0.0.1"]),
        (NAME, ["::1"]),
        (NAME, ["169.254.169.254"]),
        (NAME, ["10.0.0.1", "1.1.1.1"]),
        (NAME, ["1.1.1.1", "fd00:ec2::254"]),
        (NAME, ["::ffff:127.0.0.1"]),
        ("127.0.0.1", []),
        ("[::1]", []),
        ("2130706433", []),
        ("0177.0.0.1", []),
    ],
)
def test_where_not_every_address_is_public_nothing_is_connected(
    host: str, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *given, **_: connected.append(given))
    sender = WebhookSender(FakeResolver({NAME: addresses}))
    assert failing(sender, f"https://{host}:8443/") is TroubleCode.ADDRESS_REFUSED
    assert failing(sender, f"http://{host}:8080/") is TroubleCode.ADDRESS_REFUSED
    assert connected == []


def test_a_url_that_was_registered_in_development_is_refused_elsewhere() -> None:
    with WebhookReceiver() as receiver:
        assert failing(WebhookSender(SystemResolver()), receiver.url) is TroubleCode.ADDRESS_REFUSED
        assert receiver.arrivals == []


def test_a_host_that_dns_does_not_know() -> None:
    assert failing(WebhookSender(FakeResolver({})), f"https://{NAME}/") is TroubleCode.UNKNOWN_HOST


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sender = WebhookSender(SystemResolver(), to_loopback=True)
    assert failing(sender, f"http://127.0.0.1:{port}/") is TroubleCode.UNREACHABLE


def test_the_next_address_is_tried_where_one_does_not_answer(authority: Authority) -> None:
    with WebhookReceiver() as receiver:
        sender = WebhookSender(FakeResolver({NAME: ["::1", "127.0.0.1"]}), to_loopback=True)
        assert sender.post(f"http://{NAME}:{receiver.port}/", {}, b"{}") == Answer(204)


def read_request(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n{}" not in received:
        received += connection.recv(1000)


def silent(connection: socket.socket) -> None:
    connection.settimeout(5)
    with contextlib.suppress(OSError):
        while connection.recv(1000):
            pass


def drop_by_drop(connection: socket.socket) -> None:
    read_request(connection)
    for letter in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100:
        connection.sendall(bytes([letter]))
        time.sleep(0.05)


def go_on_for_ever(connection: socket.socket) -> None:
    read_request(connection)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)


@pytest.mark.parametrize("serve", [silent, drop_by_drop, go_on_for_ever])
def test_a_receiver_that_takes_its_time_holds_nobody_up(serve: Callable[[socket.socket], None]) -> None:
    sender = WebhookSender(SystemResolver(), to_loopback=True, answer_seconds=0.4)
    with RawReceiver(serve) as receiver:
        began = time.monotonic()
        assert failing(sender, receiver.url) is TroubleCode.TIMEOUT
        assert time.monotonic() - began < 2


def test_a_receiver_that_never_ends_its_tls_handshake_holds_nobody_up(authority: Authority) -> None:
    sender = WebhookSender(SystemResolver(), to_loopback=True, tls=authority.trusting, connect_seconds=0.3)
    with RawReceiver(silent) as receiver:
        began = time.monotonic()
        assert failing(sender, receiver.url.replace("http:", "https:")) is TroubleCode.TIMEOUT
        assert time.monotonic() - began < 2


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return serve


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 many OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n",
        b"\x16\x03\x01",
    ],
)
def test_what_is_no_answer_is_none(answer: bytes) -> None:
    with RawReceiver(answering(answer)) as receiver:
        sender = WebhookSender(SystemResolver(), to_loopback=True, answer_seconds=2)
        assert failing(sender, receiver.url) is TroubleCode.NO_ANSWER


@pytest.mark.parametrize(
    "body",
    [
        b"content-length: 99999999999\r\n\r\n" + b"x" * 100_000,
        b"content-length: 5\r\n\r\nab",
        b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\r\n",
    ],
)
def test_an_answers_body_matters_to_nobody(body: bytes) -> None:
    with RawReceiver(answering(b"HTTP/1.1 200 OK\r\n" + body)) as receiver:
        sender = WebhookSender(SystemResolver(), to_loopback=True, answer_seconds=2)
        assert sender.post(receiver.url, {}, b"{}") == Answer(200)


def test_plain_http_where_tls_is_expected_is_no_tls(authority: Authority) -> None:
    with WebhookReceiver() as receiver:
        sender = WebhookSender(SystemResolver(), to_loopback=True, tls=authority.trusting)
        assert failing(sender, receiver.url.replace("http:", "https:")) is TroubleCode.TLS


def test_the_systems_resolver_knows_addresses_and_not_nonsense() -> None:
    resolver = SystemResolver()
    assert [str(address) for address in resolver.addresses("127.0.0.1")] == ["127.0.0.1"]
    assert [str(address) for address in resolver.addresses("::1")] == ["::1"]
    assert {str(address) for address in resolver.addresses("localhost")} <= {"127.0.0.1", "::1"}
    for nonsense in ("no-such-host.invalid", "a" * 300, "x..y"):
        with pytest.raises(HostUnknown):
            resolver.addresses(nonsense)
