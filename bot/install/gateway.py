"""From API Gateway's proxy event to an installation and back to a page."""

from __future__ import annotations

import re
from http.cookies import CookieError, SimpleCookie
from typing import Any

from bot.install.flow import STATE_SECONDS, InstallFailed, InstallPorts, Problem, begin_install, finish_install
from bot.logs import log
from commands.sentences_install import install_trouble
from commands.views.install_pages import failed_page, installed_page

COOKIE = "easel-install"
INSTALL_PATH, REDIRECT_PATH = "/slack/install", "/slack/oauth_redirect"

# Nothing on these pages is loaded from anywhere, and what stands in their address goes nowhere.
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
STATUSES = {
    Problem.NOT_SET_UP: 503,
    Problem.CANCELLED: 200,
    Problem.NOT_ADMITTED: 403,
    Problem.NOT_TAKEN_OUT: 403,
    Problem.SLACK_UNAVAILABLE: 502,
    Problem.STORE_UNAVAILABLE: 503,
}
STATE = re.compile(r"[A-Za-z0-9_-]{1,100}")


class InstallGateway:
    """Answers proxy events. `emulator_url`: where an emulator serves REST APIs, by id and stage; None on AWS."""

    def __init__(self, ports: InstallPorts, emulator_url: str | None = None) -> None:
        self._ports = ports
        self._emulator_url = emulator_url

    def answer(self, event: dict[str, Any]) -> dict[str, Any]:
        """A proxy response: a page, or the way to Slack's page."""
        base = self._base_url(event.get("requestContext") or {})
        is_return = str(event.get("resource", "")) == REDIRECT_PATH
        try:
            if is_return:
                return self._finish(event, f"{base}{REDIRECT_PATH}")
            departure = begin_install(self._ports, f"{base}{REDIRECT_PATH}")
        except InstallFailed as failed:
            log.info("not installed", extra={"problem": failed.problem.value, "workspace": failed.id})
            trouble = install_trouble(failed.problem.value, failed.name, failed.id)
            page = failed_page(trouble, f"{base}{INSTALL_PATH}")
            return _answer(STATUSES.get(failed.problem, 400), page, _cookie("", 0))
        return _answer(302, "", _cookie(departure.state, STATE_SECONDS), location=departure.authorize_url)

    def _finish(self, event: dict[str, Any], redirect_uri: str) -> dict[str, Any]:
        query = {str(key): str(value) for key, value in (event.get("queryStringParameters") or {}).items()}
        installation = finish_install(self._ports, query, _state_of_browser(event), redirect_uri)
        return _answer(200, installed_page(installation.name, installation.is_org_wide), _cookie("", 0))

    def _base_url(self, context: dict[str, Any]) -> str:
        """Where this API is reached: API Gateway names the domain, never the caller."""
        stage = str(context.get("stage", ""))
        if self._emulator_url:
            return f"{self._emulator_url.rstrip('/')}/{context.get('apiId')}/{stage}"
        # Below a custom domain, the path begins with whatever the API is mapped to.
        prefix = str(context.get("path", "")).removesuffix(INSTALL_PATH).removesuffix(REDIRECT_PATH)
        return f"https://{context.get('domainName')}{prefix}"


def _state_of_browser(event: dict[str, Any]) -> str:
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    value = cookies[COOKIE].value if COOKIE in cookies else ""
    return value if STATE.fullmatch(value) else ""


def _cookie(state: str, seconds: int) -> str:
    # Lax: it has to come along when Slack's page leads back here.
    return f"{COOKIE}={state}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax"


def _answer(status: int, page: str, cookie: str, **headers: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": {**HEADERS, "set-cookie": cookie, **headers}, "body": page}
