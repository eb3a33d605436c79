"""Keeps other websites out: the Host must be this machine, and control and page belong to the page's own origin."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost"})
APP_PATHS = ("/api/", "/upload/", "/commands/", "/actions/")


class OriginGuard:
    """ASGI middleware against DNS rebinding (a foreign Host) and cross-site requests (a foreign Origin)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or hand the request on."""
        if scope["type"] == "http" and not _is_welcome(scope):
            await PlainTextResponse("This workspace is for this machine only.", status_code=403)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _is_welcome(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if urlsplit(f"//{host}").hostname not in LOCAL_NAMES:
        return False
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return False
    site = headers.get("sec-fetch-site", "none")
    if site in {"none", "same-origin"}:
        return True
    # A link on another page may lead here; nothing else that another site starts may.
    is_navigation = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
    return is_navigation and not scope["path"].startswith(("/control", "/files-pri", *APP_PATHS))
