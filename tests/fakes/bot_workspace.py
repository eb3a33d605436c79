"""The real Bolt app, install pages, worker and results function in local workspaces; AWS and the backend are fakes.

Commands go signed over HTTP into the gateway, as API Gateway would hand them over; what it queues is worked on when the
test says so. So a test decides what is late, comes twice, or never.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from bot.admission import Admission
from bot.api_gateway import SlackGateway
from bot.bot_tokens import BotTokens, OwnToken
from bot.install.flow import InstallPorts
from bot.install.gateway import InstallGateway
from bot.invocation import Invocation
from bot.listeners.deps import ListenerDeps
from bot.results.deps import ResultsPorts
from bot.results.events import handle_event, read_event
from bot.slack_app import build_app
from bot.slack_oauth import WebSlackOAuth
from bot.slack_workspace import SlackWorkspaces
from bot.system_clock import SystemClock
from bot.worker.authorize import Authority
from bot.worker.deps import WorkerDeps
from bot.worker.installations import LIFECYCLE, InstallationDeps, end_installation
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
from tests.fakes.bot_installations import FakeAnnouncer, FakeInstallationStore, FakeInstallStates
from tests.fakes.bot_png import png
from tests.fakes.bot_registry import FakeRegistry
from tests.fakes.bot_trainings import FakeTrainingApi

SIGNING_SECRET = "0123456789abcdef0123456789abcdef"
BOT_TOKEN = "xoxb-test-token"
# Where the bot's routes are, as an emulator of API Gateway would serve them.
STAGE = "/a1/v1"


class MovableClock(SystemClock):
    """Real time, moved by so many seconds."""

    shift_seconds = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return super().now() + self.shift_seconds


class PngPictures:
    """Real PNGs: the workspace looks into them."""

    def read(self, bucket: str, key: str) -> bytes:
        """A picture with its key in its metadata."""
        return png(key)


class BotInWorkspace:
    """A workspace, the bot in it, and what stands behind the bot. `beside`: settings of more workspaces."""

    def __init__(self, beside: Sequence[dict[str, Any]] = (), **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "signing_secret": SIGNING_SECRET,
            "bot_token": BOT_TOKEN,
            "time_scale": 0.002,
            "file_processing_seconds": 0.15,
            "rate_limit_factor": None,
        }
        read = Manifest.parse(manifest())
        first, *others = [WorkspaceSettings(manifest=read, **(defaults | one)) for one in (settings, *beside)]
        self.server = WorkspaceServer(first, beside=others).start()
        self.store = FakeRecordStore()
        self.queue = FakeInvocationQueue()
        self.clock = MovableClock()
        self.iam = FakeIam()
        self.access = FakeAccess(self.clock, self.iam)
        self.authority = Authority(self.access, UserGroups(self.clock), self.clock, API_ARN)
        self.sessions = FakeSessions()
        self.registry = FakeRegistry(self.clock, self.iam)
        self.api = FakeBackendApi(self.iam, self.access, self.registry)
        self.trainings = FakeTrainingApi(self.iam, self.clock)
        self.team = first.team_id
        self.installations = FakeInstallationStore()
        self.announcer = FakeAnnouncer()
        self._api_url = f"{self.server.url}/api/"
        self.oauth = WebSlackOAuth(first.client_id, first.client_secret, self._api_url, self.clock, 5, 3)
        self._own = OwnToken(first.team_id, BOT_TOKEN) if first.is_installed else None
        listeners = ListenerDeps(self.queue, self.store, self.clock, "tiny")
        app = build_app(listeners, SIGNING_SECRET, self.new_tokens(), self._api_url)
        self.gateway = SlackGateway(app, SIGNING_SECRET)
        self._worker_slack = SlackWorkspaces(self.new_tokens(), self._api_url)
        results_slack = SlackWorkspaces(self.new_tokens(), self._api_url)
        self.results = ResultsPorts(self.store, results_slack, PngPictures(), self.clock, progress_seconds=0.0)
        self.admission = Admission(frozenset({"*"}))
        install_ports = InstallPorts(
            states=FakeInstallStates(),
            installations=self.installations,
            oauth=self.oauth,
            announcer=self.announcer,
            clock=self.clock,
            admission=self.admission,
            client_id=first.client_id,
            slack_api_url=self._api_url,
        )
        self._worked = 0
        # One for all: making one costs more than all that it is used for.
        self._browser = httpx.Client(trust_env=False)
        self._http = _serve(self.gateway, install_ports)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}{STAGE}"
        self.workspaces = [LocalWorkspace(url) for url in self.server.urls]
        self.workspace = self.workspaces[0]
        self.workspace.set_request_url(f"{self.url}/slack/events")
        self.workspace.set_redirect_urls(f"{self.url}/slack/oauth_redirect")
        self.ada = self.workspace.as_member("ada")
        self.grace = self.workspace.as_member("grace")
        self.grant_as_at_the_start()

    def grant_as_at_the_start(self) -> None:
        """Everybody may paint, in each workspace; ada is an admin of the first."""
        for one in self.server.workspaces:
            team = one.settings.team_id
            self.access.clear(team)
            self.access.grant(team, "workspace", team, "artist")
        self.access.grant(self.team, "member", self.ada.id, "admin")

    def new_tokens(self) -> BotTokens:
        """The tokens, with a memory of their own, as each function has."""
        return BotTokens(self.installations, self.oauth, self.clock, self._own, patience_seconds=5.0)

    def install(self, workspace: LocalWorkspace, member: str = "ada", **decision: Any) -> httpx.Response:
        """Install the app in a workspace from a browser, as a member; the page that the browser ends on."""
        address, cookie = self.begin_install()
        return self.get(workspace.authorize_app(address, member, **decision), cookie=cookie)

    def begin_install(self) -> tuple[str, str]:
        """The address of Slack's page, and the cookie that the browser was given."""
        begun = self.get(f"{self.url}/slack/install")
        return begun.headers["location"], begun.headers["set-cookie"].partition(";")[0]

    def get(self, url: str, **headers: str) -> httpx.Response:
        """A page. Cookies come along where they are given: those that are for https 127.0.0.1 would not send."""
        self._browser.cookies.clear()
        return self._browser.get(url, headers=headers)

    def call_slack(self, workspace: LocalWorkspace, token: str, method: str, **arguments: str) -> Any:
        """The Web API's answer, whatever it is."""
        headers = {"authorization": f"Bearer {token}"}
        return self._browser.post(f"{workspace.url}/api/{method}", data=arguments, headers=headers).json()

    def work(self) -> list[Invocation]:
        """Let the worker handle everything that is queued, each message once; returns what that was."""
        done = []
        while self._worked < len(self.queue.sent):
            invocation = self.queue.sent[self._worked]
            self._worked += 1
            if invocation.kind in LIFECYCLE:
                end_installation(InstallationDeps(self.installations, self.oauth, self.new_tokens()), invocation)
            else:
                work_on(self._worker_deps(invocation), invocation, f"sqs-{self._worked}", is_last_try=False)
            done.append(invocation)
        return done

    def _worker_deps(self, invocation: Invocation) -> WorkerDeps:
        return WorkerDeps(
            admission=self.admission,
            store=self.store,
            slack=self._worker_slack.slack_for(invocation.team, invocation.enterprise),
            authority=self.authority,
            sessions=self.sessions,
            api=self.api,
            access=self.access,
            registry=self.registry,
            simulator=self.iam,
            pictures=PngPictures(),
            clock=self.clock,
            default_endpoint="tiny",
            trainings=self.trainings,
        )

    def tell(self, envelope: dict[str, Any], message_id: str = "") -> None:
        """Let the results function handle an event in its envelope."""
        event = read_event(json.dumps(envelope))
        assert event is not None
        handle_event(self.results, event, message_id or f"event-{envelope['detail']['event_id']}", is_last_try=False)

    def tell_all(self) -> None:
        """Let it handle every event of trainings that has not been told."""
        while self.trainings.outbox:
            self.tell(self.trainings.outbox.pop(0))

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
        self._browser.close()
        for workspace in self.workspaces:
            workspace.close()
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


def _serve(gateway: SlackGateway, install_ports: InstallPorts) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            event = {
                "resource": address.path.removeprefix(STAGE),
                "headers": dict(self.headers.items()),
                "queryStringParameters": dict(parse_qsl(address.query)) or None,
                "requestContext": {"apiId": "a1", "stage": "v1", "path": address.path},
            }
            port = self.server.server_address[1]
            self._answer(InstallGateway(install_ports, f"http://127.0.0.1:{port}").answer(event))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            self._answer(gateway.answer(proxy_event(body, dict(self.headers.items()), is_base64=len(body) % 2 == 0)))

        def _answer(self, answer: dict[str, Any]) -> None:
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
