"""Installing from a browser: the state once and in one browser, every way that it can fail, and who is admitted."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.admission import Admission
from bot.aws.eventbridge_announcer import EventBridgeAnnouncer
from bot.aws.signed_json import SignedJson
from bot.install.flow import InstallPorts, Problem
from bot.install.gateway import InstallGateway
from bot.ports.slack import SlackRefused, SlackUnavailable
from commands.manifest import BOT_SCOPES, manifest
from commands.sentences import Trouble
from commands.sentences_install import install_trouble
from commands.views.install_pages import failed_page, installed_page
from tests.fakes.bot import FakeClock
from tests.fakes.bot_installations import (
    FakeAnnouncer,
    FakeInstallationStore,
    FakeInstallStates,
    FakeSlackOAuth,
    installation,
)

DOMAIN = "abc123.execute-api.eu-west-1.amazonaws.com"
REDIRECT = f"https://{DOMAIN}/v1/slack/oauth_redirect"


class Browser:
    """A browser, the install pages and Slack behind them."""

    def __init__(self, **facts: Any) -> None:
        self.clock = FakeClock()
        self.states = FakeInstallStates()
        self.store = FakeInstallationStore()
        self.oauth = FakeSlackOAuth(self.clock)
        self.announcer = FakeAnnouncer()
        ports = InstallPorts(
            states=self.states,
            installations=self.store,
            oauth=self.oauth,
            announcer=self.announcer,
            clock=self.clock,
            admission=Admission(frozenset({"T1", "E1"})),
            client_id="1.2",
            slack_api_url="https://slack.com/api/",
        )
        self.gateway = InstallGateway(replace(ports, **facts))
        self.cookie = ""
        self._codes = 0

    def get(self, path: str, query: dict[str, str] | None = None, cookie: str | None = None) -> dict[str, Any]:
        """A page, with the cookie that this browser has; the cookie that it gives is kept."""
        cookie = self.cookie if cookie is None else cookie
        answer = self.gateway.answer(
            {
                "resource": path,
                "path": path,
                "httpMethod": "GET",
                "headers": {"Cookie": f"other=1; {cookie}; more=2"},
                "queryStringParameters": query,
                "requestContext": {"domainName": DOMAIN, "stage": "v1", "path": f"/v1{path}", "apiId": "abc123"},
            }
        )
        given_cookie = answer["headers"]["set-cookie"]
        assert all(part in given_cookie for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
        if path == "/slack/install":
            self.cookie = given_cookie.partition(";")[0]
        else:
            assert "Max-Age=0" in given_cookie
        return answer

    def begin(self) -> dict[str, str]:
        """On the way to Slack: what stands in the address."""
        answer = self.get("/slack/install")
        assert answer["statusCode"] == 302
        return {key: values[0] for key, values in parse_qs(urlsplit(answer["headers"]["location"]).query).items()}

    def code(self, **facts: Any) -> str:
        """What Slack gives whoever allowed it."""
        self._codes += 1
        facts = {"installed_at": self.clock.now(), "bot": self.oauth.issue(), **facts}
        self.oauth.codes[f"code-{self._codes}"] = installation(**facts)
        return f"code-{self._codes}"

    def back(self, **query: str) -> dict[str, Any]:
        """Slack sends the browser back."""
        return self.get("/slack/oauth_redirect", query)


@pytest.fixture
def browser() -> Browser:
    return Browser()


def text_of(answer: dict[str, Any]) -> str:
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer["headers"]["content-security-policy"]
    assert (answer["headers"]["cache-control"], answer["headers"]["referrer-policy"]) == ("no-store", "no-referrer")
    return re.sub(r"<[^>]+>", " ", answer["body"])


def test_somebody_is_sent_to_slacks_page_with_what_the_manifest_says(browser: Browser) -> None:
    answer = browser.get("/slack/install")
    assert answer["headers"]["location"].startswith("https://slack.com/oauth/v2/authorize?")
    query = browser.begin()
    assert query["client_id"] == "1.2" and query["redirect_uri"] == REDIRECT
    assert set(query["scope"].split(",")) == set(BOT_SCOPES) and "user_scope" not in query
    [redirect] = manifest(f"https://{DOMAIN}/v1/slack/events")["oauth_config"]["redirect_urls"]
    assert redirect == REDIRECT
    assert len(query["state"]) >= 43 and browser.begin()["state"] != query["state"]


def test_an_installation_is_stored_and_announced(browser: Browser) -> None:
    query = browser.begin()
    answer = browser.back(code=browser.code(name="Acme <&> Söhne"), state=query["state"])
    assert answer["statusCode"] == 200 and "Easel is installed in Acme &lt;&amp;&gt; Söhne" in answer["body"]
    stored = browser.store.find("T1", "")
    assert stored is not None and [stored.installation] == browser.announcer.announced
    assert stored.installation.installer == "U1"


def test_an_organisation_is_told_to_add_its_workspaces(browser: Browser) -> None:
    query = browser.begin()
    answer = browser.back(code=browser.code(team="", enterprise="E1"), state=query["state"])
    assert answer["statusCode"] == 200 and "organisation settings" in text_of(answer)
    assert browser.store.find("T9", "E1") is not None


def test_a_state_is_good_once_for_ten_minutes_in_the_browser_that_began(browser: Browser) -> None:
    query = browser.begin()
    stolen = browser.cookie
    for cookie in ("", "easel-install=", "easel-install=another", f"x{stolen}", "easel-install=ä"):
        code = browser.code()
        answer = browser.get("/slack/oauth_redirect", {"code": code, "state": query["state"]}, cookie)
        assert answer["statusCode"] == 400 and "did not begin in this browser" in text_of(answer), cookie
    assert browser.back(code=browser.code(), state=query["state"])["statusCode"] == 200
    again = browser.back(code=browser.code(), state=query["state"])
    assert again["statusCode"] == 400 and "was used before" in text_of(again)

    query = browser.begin()
    browser.clock.sleep(601)
    late = browser.back(code=browser.code(), state=query["state"])
    assert late["statusCode"] == 400 and "longer than ten minutes" in text_of(late)
    assert len(browser.announcer.announced) == 1


@pytest.mark.parametrize("query", [{}, {"state": ""}, {"code": "code-1"}, {"error": "access_denied"}])
def test_a_return_without_a_state_is_refused(browser: Browser, query: dict[str, str]) -> None:
    browser.begin()
    assert browser.back(**query)["statusCode"] == 400
    assert browser.back(**query)["statusCode"] == 400 and browser.store.rows == {}


def test_cancelling_installs_nothing(browser: Browser) -> None:
    state = browser.begin()["state"]
    answer = browser.back(error="access_denied", state=state)
    assert answer["statusCode"] == 200 and "you cancelled" in text_of(answer)
    assert f'href="https://{DOMAIN}/v1/slack/install"' in answer["body"]
    assert browser.back(code=browser.code(), state=state)["statusCode"] == 400, "the state is used up"
    assert browser.store.rows == {}


def test_what_slack_refuses_is_said_in_our_words(browser: Browser) -> None:
    refused = browser.back(error="<script>", state=browser.begin()["state"])
    assert "Slack refused" in text_of(refused) and "script>" not in refused["body"]
    assert "incomplete" in text_of(browser.back(state=browser.begin()["state"]))
    assert "does not take the code" in text_of(browser.back(code="used", state=browser.begin()["state"]))


def test_slack_or_the_store_may_be_down(browser: Browser) -> None:
    browser.oauth.is_down = True
    assert browser.back(code="code-1", state=browser.begin()["state"])["statusCode"] == 502
    browser.oauth.is_down = False
    browser.store.is_down = True
    answer = browser.back(code=browser.code(), state=browser.begin()["state"])
    assert answer["statusCode"] == 503 and browser.announcer.announced == []
    browser.store.is_down = False
    browser.announcer.is_down = True
    assert browser.back(code=browser.code(), state=browser.begin()["state"])["statusCode"] == 503
    browser.announcer.is_down = False
    assert browser.back(code=browser.code(), state=browser.begin()["state"])["statusCode"] == 200
    assert len(browser.announcer.announced) == 1


def test_who_is_not_admitted_gets_nothing_and_the_app_is_taken_out_again(browser: Browser) -> None:
    bot = browser.oauth.issue()
    answer = browser.back(code=browser.code(team="T9", bot=bot), state=browser.begin()["state"])
    assert answer["statusCode"] == 403 and "T9" in text_of(answer) and "AdmittedWorkspaces" in text_of(answer)
    assert browser.store.rows == {} and browser.announcer.announced == [] and browser.oauth.uninstalled == [bot.token]
    # A workspace of an organisation that is admitted.
    assert (
        browser.back(code=browser.code(team="T9", enterprise="E1"), state=browser.begin()["state"])["statusCode"] == 200
    )

    nobody, anybody = Browser(admission=Admission(frozenset())), Browser(admission=Admission(frozenset({"*"})))
    assert nobody.back(code=nobody.code(), state=nobody.begin()["state"])["statusCode"] == 403
    assert anybody.back(code=anybody.code(team="T9"), state=anybody.begin()["state"])["statusCode"] == 200


@pytest.mark.parametrize("failure", [SlackUnavailable("TimeoutError"), SlackRefused("client_id_token_mismatch")])
def test_where_slack_does_not_take_the_app_out_again_the_page_and_the_log_say_so(
    browser: Browser, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(token: str) -> None:
        raise failure

    monkeypatch.setattr(browser.oauth, "uninstall", fail)
    answer = browser.back(code=browser.code(team="T9"), state=browser.begin()["state"])
    assert answer["statusCode"] == 403 and "Remove Easel in Slack" in text_of(answer) and "T9" in text_of(answer)
    assert browser.store.rows == {} and browser.announcer.announced == []
    [logged] = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
    assert (logged["workspace"], logged["code"]) == ("T9", str(failure))


def test_loading_the_last_page_once_more_does_not_say_that_easel_is_not_installed(browser: Browser) -> None:
    query = {"code": browser.code(), "state": browser.begin()["state"]}
    began_with = browser.cookie
    assert "Easel is installed" in text_of(browser.back(**query))
    for cookie in ("", began_with):
        again = browser.get("/slack/oauth_redirect", query, cookie)
        assert again["statusCode"] == 400 and "This attempt changed nothing" in text_of(again)
        assert "If you have just installed Easel, you are done" in text_of(again)
        assert "not installed" not in text_of(again)
    assert len(browser.announcer.announced) == 1


def test_a_deployment_without_a_client_id_says_so() -> None:
    browser = Browser(client_id="")
    for answer in (browser.get("/slack/install"), browser.back(code="c", state="s")):
        assert answer["statusCode"] == 503 and "slack-credentials" in text_of(answer)
        assert "<a " not in answer["body"]


def test_installing_anew_replaces_the_tokens(browser: Browser) -> None:
    for _ in range(2):
        browser.clock.sleep(60)
        bot = browser.oauth.issue()
        assert browser.back(code=browser.code(bot=bot), state=browser.begin()["state"])["statusCode"] == 200
        stored = browser.store.find("T1", "")
        assert stored is not None and stored.installation.bot == bot


@pytest.mark.parametrize(
    ("emulator", "context", "expected"),
    [
        (None, {"domainName": "api.acme.com", "path": "/easel/slack/install"}, "https://api.acme.com/easel"),
        (None, {"domainName": "api.acme.com", "path": "/slack/install"}, "https://api.acme.com"),
        (
            "http://127.0.0.1:1/x/",
            {"apiId": "a1", "stage": "v1", "path": "/v1/slack/install"},
            "http://127.0.0.1:1/x/a1/v1",
        ),
    ],
)
def test_people_come_back_to_where_they_began(emulator: str | None, context: dict[str, str], expected: str) -> None:
    gateway = InstallGateway(Browser().gateway._ports, emulator)
    answer = gateway.answer({"resource": "/slack/install", "requestContext": context, "headers": None})
    query = parse_qs(urlsplit(answer["headers"]["location"]).query)
    assert query["redirect_uri"] == [f"{expected}/slack/oauth_redirect"]


def test_no_code_state_or_token_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for team in ("T1", "T9"):
        state = browser.begin()["state"]
        code = browser.code(team=team)
        browser.back(code=code, state=state)
        browser.back(code=code, state=state)
        logged = " ".join(str(vars(record)) for record in caplog.records)
        assert logged and code not in logged and state not in logged and "xox" not in logged


@pytest.mark.parametrize("problem", Problem)
def test_every_problem_has_a_sentence_and_a_next_step(problem: Problem) -> None:
    trouble = install_trouble(problem.value, "Acme", "T1")
    assert trouble.sentence.endswith(".") and trouble.next_step.endswith(".")


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)


@settings(deadline=None)
@given(name=st.text(max_size=40), sentence=st.text(max_size=40))
def test_nothing_that_slack_sends_becomes_markup(name: str, sentence: str) -> None:
    assert Tags(installed_page(name, False)).tags == Tags(installed_page("Acme", False)).tags
    page, plain = (failed_page(Trouble(text, text, "r1"), "https://x/") for text in (sentence, "plain"))
    assert Tags(page).tags == Tags(plain).tags


def test_a_workspaces_announcement_names_its_organisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    sent: list[Any] = []
    monkeypatch.setattr(SignedJson, "call", lambda self, operation, body: sent.extend(body["Entries"]) or {})
    for one in (installation("T1"), installation("T1", "E1"), installation("", "E1")):
        EventBridgeAnnouncer("bus").announce(one)
    details = [json.loads(entry["Detail"]) for entry in sent]
    assert [(one["tenant"], one["organisation"]) for one in details] == [("T1", None), ("T1", "E1"), ("E1", None)]
