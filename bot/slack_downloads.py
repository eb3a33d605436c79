"""Reading files that people have uploaded to Slack: from Slack's own host, never from where it might send us."""

from __future__ import annotations

from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from bot.ports.slack import FileTooLarge, SlackRefused, SlackUnavailable

FILE_HOSTS = {"slack.com": "files.slack.com", "slack-gov.com": "files.slack-gov.com"}
"""By the host of the Web API."""
DOWNLOAD_SECONDS = 20
NOT_READABLE = "file_not_readable"


class _NoRedirects(HTTPRedirectHandler):
    """The token goes to one host only; what another one answers is no file of Slack's."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """None: urllib raises the redirect as an error."""
        return


def is_slack_file(url: str, api_url: str) -> bool:
    """Whether a URL is one of Slack's file host, or of the host that stands in for Slack."""
    parts, api = urlsplit(url), urlsplit(api_url)
    if parts.username or parts.password:
        return False
    if api.netloc in FILE_HOSTS:
        return parts.scheme == "https" and parts.netloc == FILE_HOSTS[api.netloc]
    return (parts.scheme, parts.netloc) == (api.scheme, api.netloc)


def download(url: str, api_url: str, token: str, most_bytes: int) -> bytes:
    """The file's bytes. Raises `FileTooLarge`, `SlackRefused` and `SlackUnavailable`; no more than allowed is read."""
    if not is_slack_file(url, api_url):
        raise SlackRefused(NOT_READABLE)
    request = Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - host and scheme were looked at
    opener = build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=DOWNLOAD_SECONDS) as response:
            content: bytes = response.read(most_bytes + 1)
    except HTTPError as error:
        if error.code >= 500 or error.code == 429:
            raise SlackUnavailable(f"HTTP {error.code}") from error
        raise SlackRefused(NOT_READABLE) from error
    except (OSError, HTTPException) as error:
        raise SlackUnavailable(type(error).__name__) from error
    if len(content) > most_bytes:
        raise FileTooLarge
    return content
