"""The real Bolt app, worker and results function in a local Slack workspace; AWS and the backend are fakes.

Commands go signed over HTTP into the gateway, as API Gateway would hand them over; what it queues is worked on when the
test says so. So a test decides what is late, comes twice, or never.
"""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bot.api_gateway import SlackGateway
from bot.invocation import Invocation
from bot.listeners.deps import ListenerDeps
from bot.results.deps import ResultsDeps
from bot.results.events import handle_event, read_event
from bot.slack_app import build_app
from bot.slack_workspace import SlackWorkspace
from bot.system_clock import SystemClock
from bot.worker.authorize import Authority
from bot.worker.deps import WorkerDeps
from bot.worker.usergroups import UserGroups
from bot.worker.work import work_on
from commands.manifest import manifest
from deploy.local.slack.client import LocalWorkspace
from deploy.local.slack.manifest import Manifest
from deploy.local.slack.server import WorkspaceServer
from deploy.local.slack.settings import WorkspaceSettings
from tests.fakes.bot import (
    FakeBackendApi,
    FakeInvocationQueue,
    FakeRecordStore,
)
from tests.fakes.bot_access import API_ARN, FakeAccess, FakeIam, FakeSessions
from tests.fakes.bot_png import png

SIGNING_SECRET = "0123456789abcdef0123456789abcdef"
BOT_TOKEN = "xoxb-test-token"


class PngPictures:
    """Real PNGs: the workspace looks into them."""

    def read(self, bucket: str, key: str) -> bytes:
        """A picture with its key in its metadata."""
        return png(key)


class BotInWorkspace:
    """A workspace, the bot in it, and what stands behind the bot."""

    def __init__(self, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "signing_secret": SIGNING_SECRET,
            "bot_token": BOT_TOKEN,
            "time_scale": 0.002,
            "file_processing_seconds": 0.15,
            "rate_limit_factor": None,
        }
        self.server = WorkspaceServer(
            WorkspaceSettings(manifest=Manifest.parse(manifest()), **(defaults | settings))
        ).start()
        self.store = FakeRecordStore()
        self.queue = FakeInvocationQueue()
        self.clock = SystemClock()
        self.iam = FakeIam()
        self.access = FakeAccess(self.clock, self.iam)
        self.sessions = FakeSessions()
        self.api = FakeBackendApi(self.iam, self.access)
        self.team = self.server.workspace.settings.team_id
        slack = SlackWorkspace(BOT_TOKEN, f"{self.server.url}/api/")
        listeners = ListenerDeps(self.queue, self.store, self.clock, "tiny")
        app = build_app(listeners, SIGNING_SECRET, BOT_TOKEN, f"{self.server.url}/api/")
        self.gateway = SlackGateway(app, SIGNING_SECRET)
        self.worker = WorkerDeps(
            store=self.store,
            slack=slack,
            authority=Authority(self.access, UserGroups(self.clock), self.clock, API_ARN),
            sessions=self.sessions,
            api=self.api,
            access=self.access,
            simulator=self.iam,
            pictures=PngPictures(),
            clock=self.clock,
            default_endpoint="tiny",
        )
        self.results = ResultsDeps(self.store, slack, PngPictures(), self.clock, progress_seconds=0.0)
        self._worked = 0
        self._http = _serve(self.gateway)
        self.workspace = LocalWorkspace(self.server.url)
        self.workspace.set_request_url(f"http://127.0.0.1:{self._http.server_address[1]}/slack/events")
        self.ada = self.workspace.as_member("ada")
        self.grace = self.workspace.as_member("grace")
        self.grant_as_at_the_start()

    def grant_as_at_the_start(self) -> None:
        """Everybody may paint, ada is an admin."""
        self.access.clear(self.team)
        self.access.grant(self.team, "workspace", self.team, "artist")
        self.access.grant(self.team, "member", self.ada.id, "admin")

    def work(self) -> list[Invocation]:
        """Let the worker handle everything that is queued, each message once; returns what that was."""
        done = []
        while self._worked < len(self.queue.sent):
            invocation = self.queue.sent[self._worked]
            self._worked += 1
            work_on(self.worker, invocation, f"sqs-{self._worked}", is_last_try=False)
            done.append(invocation)
        return done

    def announce(self, kind: str, job_id: str | None = None, **facts: Any) -> str:
        """Let the results function handle an event about a job (the latest one); returns the job's id."""
        job_id = job_id or list(self.api.jobs)[-1]
        event = read_event(json.dumps(self.api.event(job_id, kind, **facts)))
        assert event is not None
        handle_event(self.results, event, f"event-{kind}-{job_id}-{facts}", is_last_try=False)
        return job_id

    def stop(self) -> None:
        """Stop both servers."""
        self._http.shutdown()
        self._http.server_close()
        self.workspace.close()
        self.server.stop()


def proxy_event(body: str, headers: dict[str, str], is_base64: bool = False) -> dict[str, Any]:
    """What API Gateway's REST API hands to a Lambda function."""
    return {
        "resource": "/slack/events",
        "path": "/slack/events",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "requestContext": {"httpMethod": "POST", "stage": "v1"},
        "body": base64.b64encode(body.encode()).decode() if is_base64 else body,
        "isBase64Encoded": is_base64,
    }


def _serve(gateway: SlackGateway) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            answer = gateway.answer(proxy_event(body, dict(self.headers.items()), is_base64=len(body) % 2 == 0))
            content = (answer["body"] or "").encode()
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
