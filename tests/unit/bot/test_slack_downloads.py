"""Reading people's files from Slack: from its own host, bounded, following nobody elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.ports.slack import FileTooLarge, SlackRefused, SlackUnavailable
from bot.slack_downloads import NOT_READABLE, download, is_slack_file

SLACK = "https://slack.com/api/"
TOKEN = "xoxb-secret"


@pytest.mark.parametrize(
    ("url", "api_url", "is_ours"),
    [
        ("https://files.slack.com/files-pri/T1-F1/download/a.png", SLACK, True),
        ("https://files.slack-gov.com/files-pri/T1-F1/a.png", "https://slack-gov.com/api/", True),
        ("http://files.slack.com/files-pri/T1-F1/a.png", SLACK, False),
        ("https://files.slack.com.evil.example/a.png", SLACK, False),
        ("https://files.slack.com@evil.example/a.png", SLACK, False),
        ("https://evil.example/files.slack.com/a.png", SLACK, False),
        ("https://files.slack.com:8443/a.png", SLACK, False),
        ("https://slack.com/a.png", SLACK, False),
        ("https://files.slack-gov.com/a.png", SLACK, False),
        ("file:///etc/passwd", SLACK, False),
        ("", SLACK, False),
        ("http://127.0.0.1:5000/files-pri/a.png", "http://127.0.0.1:5000/api/", True),
        ("http://127.0.0.1:5001/files-pri/a.png", "http://127.0.0.1:5000/api/", False),
        ("http://169.254.169.254/latest/meta-data", "http://127.0.0.1:5000/api/", False),
    ],
)
def test_only_slacks_file_host_is_asked(url: str, api_url: str, is_ours: bool) -> None:
    assert is_slack_file(url, api_url) is is_ours
    if not is_ours:
        with pytest.raises(SlackRefused, match=NOT_READABLE):
            download(url, api_url, TOKEN, 100)


class Files(BaseHTTPRequestHandler):
    """`/<status>/<bytes>`; a redirect points to a host that must not be asked."""

    asked: list[tuple[str, str | None]] = []  # noqa: RUF012 - one server a module

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        _, status, size = self.path.split("/")
        self.send_response(int(status))
        if status.startswith("3"):
            self.send_header("Location", "/200/10")
        self.send_header("Content-Length", size)
        self.end_headers()
        try:
            self.wfile.write(b"x" * int(size))
        except OSError:
            return

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_bytes_come_with_the_token_and_unchanged(base: str) -> None:
    assert download(f"{base}/200/10", f"{base}/api/", TOKEN, 10) == b"x" * 10
    assert Files.asked[-1] == ("/200/10", f"Bearer {TOKEN}")


def test_no_more_than_allowed_is_read(base: str) -> None:
    with pytest.raises(FileTooLarge):
        download(f"{base}/200/{5_000_000}", f"{base}/api/", TOKEN, 1_000)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(base: str, status: int) -> None:
    Files.asked.clear()
    with pytest.raises(SlackRefused, match=NOT_READABLE):
        download(f"{base}/{status}/0", f"{base}/api/", TOKEN, 100)
    assert [path for path, _ in Files.asked] == [f"/{status}/0"]


@pytest.mark.parametrize(
    ("status", "error"), [(403, SlackRefused), (404, SlackRefused), (500, SlackUnavailable), (429, SlackUnavailable)]
)
def test_what_slack_refuses_and_what_may_pass(base: str, status: int, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        download(f"{base}/{status}/0", f"{base}/api/", TOKEN, 100)
    assert TOKEN not in str(raised.value)


def test_nobody_listening_may_pass() -> None:
    with pytest.raises(SlackUnavailable):
        download("http://127.0.0.1:9/200/1", "http://127.0.0.1:9/api/", TOKEN, 100)
