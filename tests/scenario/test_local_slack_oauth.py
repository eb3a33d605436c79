"""The local workspace's OAuth: its page, codes, tokens that end and rotate, and several workspaces with one app."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from deploy.local.slack.client import LocalWorkspace
from deploy.local.slack.manifest import Manifest
from deploy.local.slack.server import WorkspaceServer
from deploy.local.slack.settings import GLOBEX, WorkspaceSettings
from tests.scenario.local_slack_app import BOT_TOKEN, MANIFEST

BACK = "https://app.example/slack/oauth_redirect"
ORGANISATION: dict[str, Any] = {"enterprise_id": "E1", "enterprise_name": "World & Sons"}


class Slack:
    """Two workspaces of an organisation, without the app in the second; and what an app does to be installed."""

    def __init__(self, **settings: Any) -> None:
        rotating = {"token_rotation_enabled": True, "org_deploy_enabled": True}
        manifest = Manifest.parse(
            {**MANIFEST, "settings": {**MANIFEST["settings"], **rotating, **settings.pop("manifest_settings", {})}}
        )
        facts: dict[str, Any] = {"manifest": manifest, "rate_limit_factor": None, **ORGANISATION, **settings}
        first = WorkspaceSettings(**facts, bot_token=BOT_TOKEN)
        second = WorkspaceSettings(**{**facts, **GLOBEX, "is_installed": False})
        self.server = WorkspaceServer(first, beside=[second]).start()
        self.acme, self.globex = (LocalWorkspace(url) for url in self.server.urls)
        self.acme.set_redirect_urls(BACK)
        self.client_id, self.client_secret = first.client_id, first.client_secret
        self.http = httpx.Client(trust_env=False)

    def page(self, **query: str) -> str:
        """Slack's page, as the app would lead there."""
        asked = {"client_id": self.client_id, "scope": "chat:write,commands", "redirect_uri": BACK, "state": "s"}
        return f"{self.server.url}/oauth/v2/authorize?{urlencode({**asked, **query})}"

    def code(self, workspace: LocalWorkspace, **decision: Any) -> str:
        """What a member who allows it hands to the app."""
        return parse_qs(urlsplit(workspace.authorize_app(self.page(), **decision)).query)["code"][0]

    def web(self, token: str | None = None) -> WebClient:
        """Slack's own SDK, at the first address."""
        return WebClient(token=token, base_url=f"{self.server.url}/api/")

    def access(self, **arguments: str) -> dict[str, Any]:
        """oauth.v2.access, whatever it answers."""
        app = {"client_id": self.client_id, "client_secret": self.client_secret}
        try:
            return dict(self.web().oauth_v2_access(**{**app, **arguments}).data)  # type: ignore[arg-type]
        except SlackApiError as error:
            return dict(error.response.data)  # type: ignore[arg-type]

    def install(self, workspace: LocalWorkspace, **decision: Any) -> dict[str, Any]:
        """All the way."""
        return self.access(code=self.code(workspace, **decision), redirect_uri=BACK)

    def refresh(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The next tokens."""
        return self.access(grant_type="refresh_token", refresh_token=answer["refresh_token"])

    def says(self, token: str, method: str = "auth.test", **arguments: str) -> str:
        """Slack's error for a call, or an empty text."""
        try:
            self.web(token).api_call(method, data=arguments)
        except SlackApiError as error:
            return str(error.response["error"])
        return ""

    def stop(self) -> None:
        """Everything."""
        self.http.close()
        self.acme.close()
        self.globex.close()
        self.server.stop()


@pytest.fixture
def slack() -> Iterator[Slack]:
    slack = Slack()
    yield slack
    slack.stop()


def test_the_page_says_what_is_asked_and_leads_back(slack: Slack) -> None:
    page = slack.http.get(slack.page(state='"><script>alert(1)</script>'))
    assert page.status_code == 200 and "not Slack" in page.text and "<script>" not in page.text
    assert re.findall(r"<li>([^<]+)</li>", page.text) == ["chat:write", "commands"]
    people = re.findall(r'<option value="([^"]+)">([^<]+)</option>', page.text)
    assert "Grace Hopper in Acme Pictures" in dict(people).values() and "Mira Sol" not in page.text
    assert "Ada Byron for all of World &amp; Sons" in page.text and "Grace Kelly for all" not in page.text

    hidden = dict(
        re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', slack.http.get(slack.page()).text)
    )
    [who] = [value for value, name in people if name == "Grace Kelly in Globex Studio"]
    answers = {
        decision: slack.http.post(
            f"{slack.server.url}/oauth/v2/authorize", data={**hidden, "who": who, "decision": decision}
        )
        for decision in ("allow", "cancel")
    }
    assert all(answer.status_code == 302 for answer in answers.values())
    assert answers["cancel"].headers["location"] == f"{BACK}?error=access_denied&state=s"
    query = parse_qs(urlsplit(answers["allow"].headers["location"]).query)
    assert query["state"] == ["s"]
    answer = slack.access(code=query["code"][0], redirect_uri=BACK)
    assert answer["team"]["id"] == "T0EASEL02" and answer["authed_user"] == {"id": who.partition("/")[2]}


@pytest.mark.parametrize(
    ("query", "says"),
    [({"client_id": "9.9"}, "no app"), ({"redirect_uri": f"{BACK}x"}, "redirect"), ({"redirect_uri": ""}, "redirect")],
)
def test_the_page_refuses_what_is_not_the_apps(slack: Slack, query: dict[str, str], says: str) -> None:
    page = slack.http.get(slack.page(**query))
    assert page.status_code == 400 and says in page.text and "<form" not in page.text


def test_another_website_cannot_answer_the_page(slack: Slack) -> None:
    answer = slack.http.post(
        f"{slack.server.url}/oauth/v2/authorize", data={"decision": "allow"}, headers={"origin": "https://evil.example"}
    )
    assert answer.status_code == 403


def test_a_code_works_once_for_its_app_and_address(slack: Slack) -> None:
    code = slack.code(slack.globex)
    for wrong, error in (
        ({"client_id": "9.9"}, "invalid_client_id"),
        ({"client_secret": "wrong"}, "bad_client_secret"),
        ({"grant_type": "password"}, "invalid_grant_type"),
        ({"code": "another"}, "invalid_code"),
    ):
        assert slack.access(**{"code": code, "redirect_uri": BACK, **wrong})["error"] == error
    assert slack.access(code=code, redirect_uri=f"{BACK}/elsewhere")["error"] == "bad_redirect_uri"
    assert slack.access(code=code, redirect_uri=BACK)["error"] == "invalid_code", "it was used"

    answer = slack.install(slack.globex)
    assert answer["access_token"].startswith("xoxe.xoxb-") and answer["expires_in"] == 43_200
    assert (answer["token_type"], answer["scope"], answer["is_enterprise_install"]) == (
        "bot",
        "chat:write,commands",
        False,
    )
    assert slack.says(answer["access_token"]) == ""


def test_the_token_says_which_workspace_is_meant(slack: Slack) -> None:
    theirs = slack.install(slack.globex)["access_token"]
    assert slack.web(BOT_TOKEN).auth_test()["team"] == "Acme Pictures"
    assert slack.web(theirs).auth_test()["team_id"] == "T0EASEL02"
    channel = slack.globex.channel_id("#general")
    assert channel not in {one["id"] for one in slack.acme.info()["channels"]}
    posted = slack.web(theirs).chat_postMessage(channel=channel, text="Hello Globex")
    assert slack.globex.as_member("ada").messages("#general")[-1].ts == posted["ts"]
    assert slack.says(BOT_TOKEN, "chat.postMessage", channel=channel, text="x") == "channel_not_found"
    assert [call.method for call in slack.globex.api_calls()][-1] == "chat.postMessage"
    assert slack.says("xoxb-nobodys") == "invalid_auth"


def test_two_tokens_are_good_and_a_used_refresh_token_for_a_moment() -> None:
    slack = Slack(refresh_grace_seconds=0.3)
    try:
        first = slack.install(slack.globex)
        second, third = slack.refresh(first), slack.refresh(first)
        assert third["ok"], "the grace period"
        assert slack.says(first["access_token"]) == "token_revoked"
        assert slack.says(second["access_token"]) == slack.says(third["access_token"]) == ""
        time.sleep(0.35)
        assert slack.refresh(first)["error"] == "invalid_refresh_token"
        assert slack.refresh(third)["ok"] and slack.says(second["access_token"]) == "token_revoked"
        slack.globex.expire_tokens()
        assert slack.says(third["access_token"]) == "token_expired"
        assert slack.says(BOT_TOKEN) == "", "by hand, for ever"
    finally:
        slack.stop()


def test_uninstalling_ends_every_token(slack: Slack) -> None:
    answer = slack.install(slack.globex)
    token = answer["access_token"]
    assert (
        slack.says(token, "apps.uninstall", client_id=slack.client_id, client_secret="x") == "client_id_token_mismatch"
    )
    assert slack.says(token, "apps.uninstall", client_id=slack.client_id, client_secret=slack.client_secret) == ""
    assert slack.says(token) == "account_inactive" and slack.refresh(answer)["error"] == "invalid_refresh_token"
    assert not slack.globex.info()["app"]["is_installed"] and slack.acme.info()["app"]["is_installed"]
    assert slack.says(slack.install(slack.globex)["access_token"]) == ""


def test_revoking_one_token_leaves_a_rotating_installation_and_ends_another() -> None:
    slack = Slack()
    try:
        answer = slack.install(slack.globex)
        assert slack.says(answer["access_token"], "auth.revoke", test="1") == ""
        assert slack.says(answer["access_token"]) == ""
        assert slack.says(answer["access_token"], "auth.revoke") == ""
        assert slack.says(answer["access_token"]) == "token_revoked" and slack.refresh(answer)["ok"]
        assert slack.says(BOT_TOKEN, "auth.revoke") == ""
        assert not slack.acme.info()["app"]["is_installed"]
    finally:
        slack.stop()


def test_without_rotation_a_token_never_ends() -> None:
    slack = Slack(manifest_settings={"token_rotation_enabled": False})
    try:
        answer = slack.install(slack.globex)
        assert answer["access_token"].startswith("xoxb-")
        assert "refresh_token" not in answer and "expires_in" not in answer
        slack.globex.expire_tokens()
        assert slack.says(answer["access_token"]) == ""
    finally:
        slack.stop()


def test_an_organisations_token_works_in_its_workspaces(slack: Slack) -> None:
    answer = slack.install(slack.acme, is_org_wide=True)
    token = answer["access_token"]
    assert (answer["team"], answer["enterprise"]["id"], answer["is_enterprise_install"]) == (None, "E1", True)
    app = slack.globex.info()["app"]
    assert app["is_installed"] and app["is_installed_org_wide"]
    for workspace in (slack.acme, slack.globex):
        channel = workspace.channel_id("#general")
        assert slack.says(token, "chat.postMessage", channel=channel, text="Hello") == ""
        assert workspace.as_member("ada").messages("#general")[-1].says("Hello")
    assert slack.web(token).auth_test(team_id="T0EASEL02")["team_id"] == "T0EASEL02"
    assert slack.says(token, team_id="T9") == "team_access_not_granted"


def test_starting_over_is_as_at_the_start(slack: Slack) -> None:
    token = slack.install(slack.globex)["access_token"]
    slack.globex.start_over()
    assert slack.says(token) == "account_inactive" and not slack.globex.info()["app"]["is_installed"]
    slack.acme.uninstall_app()
    slack.acme.start_over()
    assert slack.says(BOT_TOKEN) == ""
