"""SageMaker's container contract over HTTP: `GET /ping` and `POST /invocations`."""

from __future__ import annotations

import logging
from enum import StrEnum

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpoint.contract import ModelCard
from endpoint.serving.errors import InvocationFailed, invalid_request, model_failed, unavailable
from endpoint.serving.painter import Painter
from endpoint.serving.parse_request import MAX_BODY_BYTES, job_id_of, parse_request

log = logging.getLogger(__name__)


class Phase(StrEnum):
    """Where the server is in its life; it takes work in `ready` alone."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"


class Serving:
    """What the routes share. The painter comes once the model is loaded."""

    def __init__(self) -> None:
        self.phase = Phase.LOADING
        self.painter: Painter | None = None
        self.card: ModelCard | None = None
        self.takes_negative_prompt = True

    def ready(self, painter: Painter, card: ModelCard, *, takes_negative_prompt: bool = True) -> None:
        """The model is loaded: take work, unless the end has already been asked for."""
        self.painter, self.card, self.takes_negative_prompt = painter, card, takes_negative_prompt
        if self.phase is Phase.LOADING:
            self.phase = Phase.READY

    @property
    def healthy(self) -> bool:
        """Whether `/ping` says 200."""
        return self.phase is Phase.READY and self.painter is not None and self.painter.engine_alive


def create_app(serving: Serving) -> Starlette:
    """The ASGI application; it never blocks, so `/ping` answers at once while pictures are painted."""

    async def ping(_: Request) -> Response:
        return Response(status_code=200 if serving.healthy else 503)

    async def invocations(request: Request) -> Response:
        job_id: str | None = None
        body = b""
        try:
            painter, card = serving.painter, serving.card
            if not serving.healthy or painter is None or card is None:
                raise unavailable()
            body = await _read(request)
            generate = parse_request(body, card, takes_negative_prompt=serving.takes_negative_prompt)
            job_id = generate.job_id
            manifest = await painter.paint(generate, request.is_disconnected)
        except InvocationFailed as failure:
            return _answer(failure, job_id or job_id_of(body))
        except Exception:
            ours = model_failed()
            log.exception("an invocation failed", extra={"job_id": job_id, "reference": ours.reference})
            return _answer(ours, job_id)
        return Response(manifest.model_dump_json(), media_type="application/json")

    return Starlette(
        routes=[Route("/ping", ping, methods=["GET"]), Route("/invocations", invocations, methods=["POST"])]
    )


async def _read(request: Request) -> bytes:
    """The body, as far as it may be long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise invalid_request(f"The request is longer than the {MAX_BODY_BYTES} bytes that are allowed.")
    return bytes(body)


def _answer(failure: InvocationFailed, job_id: str | None) -> Response:
    return Response(
        failure.body(job_id).model_dump_json(), status_code=failure.http_status, media_type="application/json"
    )
