"""Runs a workspace: as an ASGI app, in a thread of this process, or until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from deploy.local.slack.control.members import member_routes
from deploy.local.slack.control.scripts import script_routes
from deploy.local.slack.origin_guard import OriginGuard
from deploy.local.slack.page.routes import page_routes
from deploy.local.slack.settings import WorkspaceSettings
from deploy.local.slack.web_api.endpoint import web_api_routes
from deploy.local.slack.workspace import Workspace

HOST = "127.0.0.1"
START_SECONDS = 10.0
STOP_SECONDS = 10.0


def create_app(workspace: Workspace) -> Starlette:
    """The ASGI app of a workspace. Set `workspace.base_url` before the first request."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await workspace.stop()

    routes = [
        *web_api_routes(workspace),
        *script_routes(workspace),
        *member_routes(workspace),
        *page_routes(workspace),
    ]
    return Starlette(routes=routes, middleware=[Middleware(OriginGuard)], lifespan=lifespan)


class _Server(uvicorn.Server):
    """Lets the page's open streams go before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, workspace: Workspace) -> None:
        super().__init__(config)
        self._workspace = workspace

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the change feed, then everything else."""
        self._workspace.feed.close()
        await super().shutdown(sockets)


class WorkspaceServer:
    """A workspace on a port of 127.0.0.1 (0: a free one), served by a thread: a context manager.

    `url` is known at once, before `start`, so that the app can be configured with it.
    """

    def __init__(self, settings: WorkspaceSettings, port: int = 0) -> None:
        self._own_folder: Path | None = None
        if settings.file_folder is not None:
            settings.file_folder.mkdir(parents=True, exist_ok=True)
            self._own_folder = Path(tempfile.mkdtemp(prefix="slack-files-", dir=settings.file_folder))
            settings = dataclasses.replace(settings, file_folder=self._own_folder)
        self.settings = settings
        self.workspace = Workspace(settings)
        # With the protocol named, asyncio switches Nagle's delay (40 ms an answer) off for what is accepted.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self.workspace.base_url = self.url
        config = uvicorn.Config(
            create_app(self.workspace),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            http="h11",
            ws="none",
        )
        self._server = _Server(config, self.workspace)
        self._thread: threading.Thread | None = None

    def start(self) -> WorkspaceServer:
        """Serve from a thread; returns when requests are answered."""
        self._thread = threading.Thread(target=self.run, name="local-slack", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the local workspace did not start")
            time.sleep(0.005)
        return self

    def run(self) -> None:
        """Serve in this thread until `stop` is called, or Ctrl-C or SIGTERM comes; then remove the files."""
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._clean_up()

    def stop(self) -> None:
        """Stop serving and wait until everything is closed; also fine when it never started, or was stopped before."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        else:
            self._clean_up()

    def _clean_up(self) -> None:
        self._socket.close()
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)

    def __enter__(self) -> WorkspaceServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
