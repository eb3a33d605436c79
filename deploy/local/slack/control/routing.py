"""Control routes: JSON in, JSON out, refusals as `{"ok": false, "error": …}` with status 400."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.slack.entities import Json
from deploy.local.slack.errors import SlackError
from deploy.local.slack.input_values import InputError

Answer = Callable[[Request, Json], Awaitable[Json]]


def control_route(path: str, method: str, answer: Answer) -> Route:
    """A route whose answerer gets the request and its JSON body (for GET and DELETE: the query)."""

    async def handle(request: Request) -> Response:
        try:
            return JSONResponse(await answer(request, await _read_body(request)))
        except SlackError as error:
            return JSONResponse(error.body(), status_code=400)
        except (InputError, ValueError) as error:
            return JSONResponse({"ok": False, "error": "invalid_request", "text": str(error)}, status_code=400)

    return Route(f"/control{path}", handle, methods=[method])


async def _read_body(request: Request) -> Json:
    if request.method in {"GET", "DELETE"}:
        return dict(request.query_params)
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        return {}
    if not content_type.startswith("application/json"):
        raise ValueError("send JSON with content-type application/json")
    body = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise ValueError("send a JSON object")
    return body
