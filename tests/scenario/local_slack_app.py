"""A small Bolt app for the tests of the local workspace: a real one, served from a thread of this process."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from slack_bolt import App, BoltRequest
from slack_sdk import WebClient

from deploy.local.slack.client import LocalWorkspace
from deploy.local.slack.manifest import Manifest
from deploy.local.slack.server import WorkspaceServer
from deploy.local.slack.settings import WorkspaceSettings

SIGNING_SECRET = "0123456789abcdef0123456789abcdef"
BOT_TOKEN = "xoxb-test-token"

MANIFEST: dict[str, Any] = {
    "display_information": {"name": "Easel", "description": "Paints", "background_color": "#3b2a6b"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "Easel", "always_online": True},
        "slash_commands": [
            {
                "command": "/imagine",
                "url": "https://example.com/slack/events",
                "description": "Paint what you say",
                "usage_hint": "a small blue star on a yellow background [--n 1-4] [--seed N]",
            },
            {
                "command": "/paint",
                "url": "https://example.com/slack/events",
                "description": "Paint a picture",
                "usage_hint": "a small blue star on a yellow background",
            },
            {"command": "/form", "url": "https://example.com/slack/events", "description": "Open a form"},
            {"command": "/links", "url": "https://example.com/s", "description": "Escaped", "should_escape": True},
        ],
        "shortcuts": [
            {"name": "Paint something", "type": "global", "callback_id": "paint_global", "description": "Opens a form"},
            {"name": "Paint this", "type": "message", "callback_id": "paint_message", "description": "Paints it"},
        ],
    },
    "oauth_config": {
        "scopes": {
            "bot": [
                "app_mentions:read",
                "channels:history",
                "channels:read",
                "chat:write",
                "commands",
                "files:read",
                "files:write",
                "im:history",
                "im:write",
                "reactions:write",
                "users:read",
            ]
        }
    },
    "settings": {
        "event_subscriptions": {
            "request_url": "https://example.com/slack/events",
            "bot_events": ["app_mention", "message.channels", "message.im", "app_home_opened", "member_joined_channel"],
        },
        "interactivity": {"is_enabled": True, "request_url": "https://example.com/slack/events"},
        "org_deploy_enabled": False,
        "socket_mode_enabled": False,
    },
}


class ServedApp:
    """A Bolt app behind an HTTP server on a free port of 127.0.0.1."""

    def __init__(self, workspace_url: str) -> None:
        client = WebClient(token=BOT_TOKEN, base_url=f"{workspace_url}/api/")
        self.app = App(client=client, signing_secret=SIGNING_SECRET, process_before_response=True)
        self.client = client
        self.received: list[dict[str, Any]] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
                headers = {key.lower(): [value] for key, value in self.headers.items()}
                served.received.append({"headers": {key: value[0] for key, value in headers.items()}, "body": body})
                response = served.app.dispatch(BoltRequest(body=body, headers=headers))
                try:
                    self.send_response(response.status)
                    for name, values in response.headers.items():
                        for value in values:
                            self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write((response.body or "").encode())
                except BrokenPipeError:
                    return

            def log_message(self, *arguments: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/slack/events"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class Running:
    """A workspace, its client, and the app that is installed in it."""

    def __init__(self, **settings: Any) -> None:
        manifest = settings.pop("manifest", MANIFEST)
        defaults: dict[str, Any] = {
            "signing_secret": SIGNING_SECRET,
            "bot_token": BOT_TOKEN,
            "ack_seconds": 0.5,
            "trigger_seconds": 0.5,
            "time_scale": 0.002,
            "file_processing_seconds": 0.15,
        }
        self.server = WorkspaceServer(
            WorkspaceSettings(manifest=Manifest.parse(manifest), **(defaults | settings))
        ).start()
        self.workspace = LocalWorkspace(self.server.url)
        self.served = ServedApp(self.server.url)
        self.install(self.served)

    def start_over(self) -> Running:
        """As if everything was new, with an app that has no listeners yet."""
        self.served.stop()
        self.server.workspace.deliverer.signing_secret = SIGNING_SECRET
        self.workspace.start_over()
        self.install(ServedApp(self.server.url))
        return self

    def install(self, served: ServedApp) -> None:
        """Let the workspace deliver to this app."""
        self.served = served
        self.app = served.app
        self.web = served.client
        self.workspace.set_request_url(served.url)
        self.ada = self.workspace.as_member("ada")
        self.grace = self.workspace.as_member("grace")

    def stop(self) -> None:
        """Stop everything."""
        self.workspace.close()
        self.served.stop()
        self.server.stop()


def wait_until(is_true: Any, seconds: float = 3.0) -> None:
    """Wait for something in this process; fails when it stays false."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
