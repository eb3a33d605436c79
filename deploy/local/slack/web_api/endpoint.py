"""The HTTP side of the Web API: `/api/<method>`, the upload URL, and response URLs, for all workspaces of an app."""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deploy.local.slack.entities import Json
from deploy.local.slack.errors import RateLimited, SlackError
from deploy.local.slack.faults import ApiFault
from deploy.local.slack.files import receive_content
from deploy.local.slack.slack_app import AccessToken
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.web_api.methods import METHODS
from deploy.local.slack.web_api.response_urls import answer_response_url
from deploy.local.slack.workspace import Workspace

OAUTH_METHOD = "oauth.v2.access"


def web_api_routes(workspace: Workspace) -> list[Route]:
    """The routes that the app itself uses. The token says which workspace is meant, and without one it is this one."""
    app = workspace.app

    async def call(request: Request) -> Response:
        started = time.monotonic()
        name = request.path_params["method"]
        try:
            arguments = Arguments(await _read_arguments(request))
        except ValueError:
            return JSONResponse(SlackError("invalid_json").body())
        meant = _workspace_meant(workspace, arguments, request)
        fault = meant.faults.take_for_api(name)
        if fault is not None and not fault.is_applied:
            response, body = _fault_response(fault)
        else:
            response, body = _answer(meant, name, arguments, request)
            if fault is not None:
                response, body = _fault_response(fault)
        fault_name = fault.fault if fault else None
        meant.log.add_api_call(name, arguments.values, response.status_code, body, started, fault_name)
        return response

    async def upload(request: Request) -> Response:
        token = request.path_params["token"]
        content = await _read_upload(request)
        meant = next((one for one in app.workspaces.values() if one.expects_upload(token)), workspace)
        try:
            receive_content(meant, token, content)
        except SlackError as error:
            return PlainTextResponse(error.code, status_code=400)
        return PlainTextResponse(f"OK - {request.headers.get('content-length', '0')}")

    async def response_url(request: Request) -> Response:
        try:
            payload = json.loads(await request.body() or b"{}")
            if not isinstance(payload, dict):
                raise ValueError
        except ValueError:
            return JSONResponse({"ok": False, "error": "invalid_payload"}, status_code=400)
        started = time.monotonic()
        meant = app.workspaces.get(request.path_params["team"], workspace)
        try:
            answer_response_url(meant, request.path_params["secret"], payload)
        except SlackError as error:
            status = 404 if error.code in {"used_url", "expired_url", "no_such_url"} else 400
            meant.log.add_api_call("response_url", payload, status, error.body(), started, None)
            return JSONResponse(error.body(), status_code=status)
        meant.log.add_api_call("response_url", payload, 200, {"ok": True}, started, None)
        return PlainTextResponse("ok")

    return [
        Route("/api/{method}", call, methods=["GET", "POST"]),
        Route("/upload/v1/{token}", upload, methods=["POST", "PUT"]),
        Route("/commands/{team}/{secret}", response_url, methods=["POST"]),
        Route("/actions/{team}/{secret}", response_url, methods=["POST"]),
    ]


def is_app_token(workspace: Workspace, authorization: str) -> bool:
    """Whether an Authorization header carries a good token of the app for this workspace."""
    scheme, _, text = authorization.partition(" ")
    try:
        token = workspace.app.token(text.strip())
        token.check()
    except SlackError:
        return False
    return scheme.lower() == "bearer" and workspace in workspace.app.workspaces_of(token.place)


def _answer(workspace: Workspace, name: str, arguments: Arguments, request: Request) -> tuple[Response, Json]:
    try:
        if name == OAUTH_METHOD:
            workspace.limits.count_call(name)
            body = workspace.app.exchange(*_client(arguments, request), arguments)
            return JSONResponse(body), body
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        if name != "api.test":
            arguments.token = _token(workspace, arguments, request)
            arguments.token.check()
            # It may be an organisation's, and name a workspace that is none of its.
            workspace.app.workspace_of(arguments.token, arguments)
        workspace.limits.count_call(name)
        scopes = workspace.manifest.bot_scopes
        if method.scopes and not scopes.intersection(method.scopes):
            raise SlackError("missing_scope", needed=",".join(method.scopes), provided=",".join(sorted(scopes)))
        body = method.answer(workspace, arguments)
    except RateLimited as error:
        return JSONResponse(error.body(), 429, {"Retry-After": str(error.retry_after)}), error.body()
    except SlackError as error:
        return JSONResponse(error.body()), error.body()
    scope_header = {"X-OAuth-Scopes": ",".join(sorted(workspace.manifest.bot_scopes))}
    return JSONResponse(body, headers=scope_header), body


def _workspace_meant(workspace: Workspace, arguments: Arguments, request: Request) -> Workspace:
    """The workspace that the token is for, whether it is still good or not."""
    try:
        token = _token(workspace, arguments, request)
        return workspace.app.workspace_of(token, arguments)
    except SlackError:
        return workspace


def _token(workspace: Workspace, arguments: Arguments, request: Request) -> AccessToken:
    scheme, _, text = (request.headers.get("authorization") or "").partition(" ")
    if scheme.lower() != "bearer":
        text = "" if scheme else arguments.text("token")
        if not text:
            raise SlackError("invalid_auth" if scheme else "not_authed")
    return workspace.app.token(text.strip())


def _client(arguments: Arguments, request: Request) -> tuple[str, str]:
    """The app's id and secret: by HTTP Basic, as Slack prefers, or as arguments."""
    scheme, _, encoded = (request.headers.get("authorization") or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, client_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client_id, client_secret
    return arguments.text("client_id"), arguments.text("client_secret")


def _fault_response(fault: ApiFault) -> tuple[Response, Json]:
    if fault.fault == "error":
        body = {"ok": False, "error": fault.error}
        return JSONResponse(body), body
    if fault.status == 429:
        body = {"ok": False, "error": "ratelimited"}
        return JSONResponse(body, 429, {"Retry-After": str(fault.retry_after)}), body
    return PlainTextResponse("upstream connect error", fault.status), {"ok": False, "error": f"http_{fault.status}"}


async def _read_arguments(request: Request) -> Json:
    values: dict[str, Any] = dict(request.query_params)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/json":
        body = json.loads(await request.body() or b"{}")
        if not isinstance(body, dict):
            raise ValueError("not an object")
        values |= body
    elif request.method == "POST":
        form = await request.form()
        values |= {key: value for key, value in form.items() if isinstance(value, str)}
    return values


async def _read_upload(request: Request) -> bytes:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        form = await request.form()
        for value in form.values():
            if isinstance(value, UploadFile):
                return await value.read()
        return b""
    return await request.body()
