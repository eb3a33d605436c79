"""The HTTP side of the Web API: `/api/<method>`, the upload URL, private files, and response URLs."""

from __future__ import annotations

import json
import secrets
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
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.web_api.methods import METHODS
from deploy.local.slack.web_api.response_urls import answer_response_url
from deploy.local.slack.workspace import Workspace


def web_api_routes(workspace: Workspace) -> list[Route]:
    """The routes that the app itself uses."""

    async def call(request: Request) -> Response:
        started = time.monotonic()
        name = request.path_params["method"]
        try:
            arguments = Arguments(await _read_arguments(request))
        except ValueError:
            return JSONResponse(SlackError("invalid_json").body())
        fault = workspace.faults.take_for_api(name)
        if fault is not None and not fault.is_applied:
            response, body = _fault_response(fault)
        else:
            response, body = _answer(workspace, name, arguments, request)
            if fault is not None:
                response, body = _fault_response(fault)
        fault_name = fault.fault if fault else None
        workspace.log.add_api_call(name, arguments.values, response.status_code, body, started, fault_name)
        return response

    async def upload(request: Request) -> Response:
        try:
            receive_content(workspace, request.path_params["token"], await _read_upload(request))
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
        try:
            answer_response_url(workspace, request.path_params["secret"], payload)
        except SlackError as error:
            status = 404 if error.code in {"used_url", "expired_url", "no_such_url"} else 400
            workspace.log.add_api_call("response_url", payload, status, error.body(), started, None)
            return JSONResponse(error.body(), status_code=status)
        workspace.log.add_api_call("response_url", payload, 200, {"ok": True}, started, None)
        return PlainTextResponse("ok")

    return [
        Route("/api/{method}", call, methods=["GET", "POST"]),
        Route("/upload/v1/{token}", upload, methods=["POST", "PUT"]),
        Route("/commands/{team}/{secret}", response_url, methods=["POST"]),
        Route("/actions/{team}/{secret}", response_url, methods=["POST"]),
    ]


def is_app_token(workspace: Workspace, authorization: str) -> bool:
    """Whether an Authorization header carries the app's bot token."""
    scheme, _, token = authorization.partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(
        token.strip().encode(), workspace.settings.bot_token.encode()
    )


def _answer(workspace: Workspace, name: str, arguments: Arguments, request: Request) -> tuple[Response, Json]:
    try:
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        if name != "api.test":
            _check_token(workspace, arguments, request)
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


def _check_token(workspace: Workspace, arguments: Arguments, request: Request) -> None:
    authorization = request.headers.get("authorization") or ""
    if not authorization and arguments.has("token"):
        authorization = f"Bearer {arguments.text('token')}"
    if not authorization:
        raise SlackError("not_authed")
    if workspace.is_uninstalled:
        raise SlackError("account_inactive")
    if not is_app_token(workspace, authorization):
        raise SlackError("invalid_auth")


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
