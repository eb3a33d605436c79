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
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.local.slack.control.members import member_routes
from deploy.local.slack.control.scripts import script_routes
from deploy.local.slack.oauth.page import oauth_routes
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
        for one in workspace.app.workspaces.values():
            await one.stop()

    routes = [
        *web_api_routes(workspace),
        *oauth_routes(workspace.app),
        *script_routes(workspace),
        *member_routes(workspace),
        *page_routes(workspace),
    ]
    return Starlette(routes=routes, middleware=[Middleware(OriginGuard)], lifespan=lifespan)


class ByPort:
    """Several workspaces in one server, each on a port of its own: ASGI."""

    def __init__(self, apps: dict[int, ASGIApp]) -> None:
        self._apps = apps
        self._first = next(iter(apps.values()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the workspace whose port it came to."""
        _, port = scope.get("server") or ("", 0)
        await self._apps.get(int(port or 0), self._first)(scope, receive, send)


class _Server(uvicorn.Server):
    """Lets the pages' open streams go before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, workspaces: list[Workspace]) -> None:
        super().__init__(config)
        self._workspaces = workspaces

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the change feeds, then everything else."""
        for workspace in self._workspaces:
            workspace.feed.close()
        await super().shutdown(sockets)


class WorkspaceServer:
    """A workspace on a port of 127.0.0.1 (0: a free one), served by a thread: a context manager.

    `url` is known at once, before `start`, so that the app can be configured with it. `beside` are more workspaces with
    the same app, on ports of their own; at each address, the Web API serves all of them, and the token tells which.
    """

    def __init__(self, settings: WorkspaceSettings, port: int = 0, beside: Sequence[WorkspaceSettings] = ()) -> None:
        self._own_folders: list[Path] = []
        settings, *others = [self._with_own_folder(one) for one in (settings, *beside)]
        self.settings = settings
        self.workspace = Workspace(settings)
        self.workspaces = [self.workspace, *(Workspace(one, self.workspace.app) for one in others)]
        self._sockets = [_listen(port), *(_listen(0) for _ in others)]
        self.urls = [f"http://{HOST}:{one.getsockname()[1]}" for one in self._sockets]
        self.port: int = self._sockets[0].getsockname()[1]
        self.url = self.urls[0]
        for workspace, url in zip(self.workspaces, self.urls, strict=True):
            workspace.base_url = url
        apps: dict[int, ASGIApp] = {
            one.getsockname()[1]: create_app(workspace)
            for one, workspace in zip(self._sockets, self.workspaces, strict=True)
        }
        config = uvicorn.Config(
            ByPort(apps),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            http="h11",
            ws="none",
        )
        self._server = _Server(config, self.workspaces)
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
            asyncio.run(self._server.serve(sockets=self._sockets))
        finally:
            self._clean_up()

    def stop(self) -> None:
        """Stop serving and wait until everything is closed; also fine when it never started, or was stopped before."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        else:
            self._clean_up()

    def _with_own_folder(self, settings: WorkspaceSettings) -> WorkspaceSettings:
        if settings.file_folder is None:
            return settings
        settings.file_folder.mkdir(parents=True, exist_ok=True)
        own_folder = Path(tempfile.mkdtemp(prefix="slack-files-", dir=settings.file_folder))
        self._own_folders.append(own_folder)
        return dataclasses.replace(settings, file_folder=own_folder)

    def _clean_up(self) -> None:
        for one in self._sockets:
            one.close()
        for folder in self._own_folders:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> WorkspaceServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio switches Nagle's delay (40 ms an answer) off for what is accepted.
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((HOST, port))
    return one
