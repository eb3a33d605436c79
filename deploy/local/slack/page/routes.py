"""The page itself, its static files, and private files for whoever has the page's session or the app's token."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from deploy.local.slack.entities import File
from deploy.local.slack.errors import SlackError
from deploy.local.slack.files import is_visible_to_app, read_content_of
from deploy.local.slack.web_api.endpoint import is_app_token
from deploy.local.slack.workspace import Workspace

STATIC_FOLDER = Path(__file__).parent / "static"
SESSION_COOKIE = "local_workspace_session"
SHOWN_INLINE = {"image/png", "image/jpeg", "image/gif", "image/webp"}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; "
    "img-src 'self' data: blob: http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_routes(workspace: Workspace) -> list[Route | Mount]:
    """The routes of the page and of private files."""

    async def page(request: Request) -> Response:
        response = FileResponse(
            STATIC_FOLDER / "index.html",
            headers={
                "Content-Security-Policy": PAGE_POLICY,
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
            },
        )
        response.set_cookie(SESSION_COOKIE, workspace.page_session, httponly=True, samesite="strict")
        return response

    async def permalink(request: Request) -> Response:
        thread = request.query_params.get("thread_ts", "")
        ts = request.path_params["ts"].removeprefix("p")
        target = f"/#/{quote(request.path_params['channel'])}/{quote(ts[:-6])}.{quote(ts[-6:])}"
        return RedirectResponse(f"{target}/{quote(thread)}" if thread else target)

    async def private_file(request: Request) -> Response:
        cookie = request.cookies.get(SESSION_COOKIE, "")
        has_session = secrets.compare_digest(cookie.encode(), workspace.page_session.encode())
        has_token = is_app_token(workspace, request.headers.get("authorization", ""))
        if not has_session and not (has_token and "files:read" in workspace.manifest.bot_scopes):
            return PlainTextResponse("Sign in to see this file.", status_code=403)
        file = workspace.files.get(request.path_params["file"].rpartition("-")[2])
        try:
            if file is None:
                raise SlackError("file_not_found")
            content = read_content_of(workspace, file)
            if not has_session and not is_visible_to_app(workspace, file):
                raise SlackError("file_not_found")
        except SlackError:
            return PlainTextResponse("There is no such file.", status_code=404)
        return _file_response(file, content, is_download="/download/" in request.url.path)

    return [
        Route("/", page),
        Route("/archives/{channel}/{ts}", permalink),
        Route("/files-pri/{file}/{name}", private_file),
        Route("/files-pri/{file}/download/{name}", private_file),
        Mount("/static", StaticFiles(directory=STATIC_FOLDER)),
    ]


def _file_response(file: File, content: bytes, is_download: bool) -> Response:
    is_shown = file.mimetype in SHOWN_INLINE and not is_download
    headers = {
        "Content-Disposition": f"{'inline' if is_shown else 'attachment'}; filename*=UTF-8''{quote(file.name)}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600, immutable",
    }
    return Response(content, media_type=file.mimetype if is_shown else "application/octet-stream", headers=headers)
