"""What comes in over HTTP: signatures, staleness, bodies of every kind. Nothing crashes, little is queued."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.api_gateway import SlackGateway
from bot.invocation import Kind
from bot.listeners.deps import ListenerDeps
from bot.slack_app import build_app
from bot.system_clock import SystemClock
from tests.fakes.bot import FakeInvocationQueue, FakeRecordStore
from tests.fakes.bot_installations import bot_tokens
from tests.fakes.bot_workspace import proxy_event

SECRET = "0123456789abcdef"
FORM = "application/x-www-form-urlencoded"
# Nobody listens there: calls to Slack fail at once.
NO_SLACK = "http://127.0.0.1:9/api/"

COMMAND = {
    "command": "/imagine",
    "text": "a red boat",
    "team_id": "T1",
    "channel_id": "C1",
    "user_id": "U1",
    "trigger_id": "1.2.abc",
    "response_url": "https://hooks.example/1",
}


class Gateway:
    """The gateway with a queue to look into."""

    def __init__(self) -> None:
        self.queue = FakeInvocationQueue()
        self.store = FakeRecordStore()
        deps = ListenerDeps(self.queue, self.store, SystemClock(), "tiny")
        self._gateway = SlackGateway(build_app(deps, SECRET, bot_tokens(), NO_SLACK), SECRET)

    def send(
        self,
        body: str,
        content_type: str = FORM,
        age_seconds: float = 0,
        secret: str = SECRET,
        headers: dict[str, str] | None = None,
        is_base64: bool = False,
    ) -> dict[str, Any]:
        """A signed request."""
        timestamp = str(int(time.time() - age_seconds))
        signed = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
        sent = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signed}",
            **(headers or {}),
        }
        return self._gateway.answer(proxy_event(body, sent, is_base64))

    def send_json(self, document: Any, **facts: Any) -> dict[str, Any]:
        """A signed JSON body."""
        return self.send(json.dumps(document), "application/json", **facts)

    def answer(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event as it is."""
        return self._gateway.answer(event)


@pytest.fixture(scope="module")
def shared() -> Gateway:
    return Gateway()


@pytest.fixture
def gateway(shared: Gateway) -> Gateway:
    shared.queue.sent.clear()
    shared.queue.is_down = False
    return shared


@pytest.mark.parametrize("is_base64", [False, True])
def test_a_signed_command_is_queued_and_acknowledged_in_silence(gateway: Gateway, is_base64: bool) -> None:
    answer = gateway.send(urlencode(COMMAND), is_base64=is_base64)

    assert (answer["statusCode"], answer["body"]) == (200, "")
    [invocation] = gateway.queue.sent
    assert invocation.kind is Kind.PAINT and invocation.order == {"prompt": "a red boat"}
    assert (invocation.team, invocation.channel, invocation.member) == ("T1", "C1", "U1")


def test_the_same_command_has_the_same_key_and_another_one_another(gateway: Gateway) -> None:
    for command in (COMMAND, COMMAND, {**COMMAND, "trigger_id": "1.2.def"}, {**COMMAND, "team_id": "T2"}):
        gateway.send(urlencode(command))

    keys = [invocation.request_key for invocation in gateway.queue.sent]
    assert keys[0] == keys[1] and len(set(keys)) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=ä"},
        {"X-Slack-Signature": "v1=" + "0" * 64},
        {"X-Slack-Request-Timestamp": "now"},
        {"X-Slack-Request-Timestamp": "٣"},
        {"X-Slack-Request-Timestamp": "-5"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "9" * 400},
    ],
)
def test_a_wrong_signature_is_refused(gateway: Gateway, headers: dict[str, str]) -> None:
    assert gateway.send(urlencode(COMMAND), headers=headers)["statusCode"] == 401
    assert gateway.queue.sent == []


@pytest.mark.parametrize("age_seconds", [301, 3_600, -301, 10**9])
def test_a_stale_timestamp_is_refused(gateway: Gateway, age_seconds: float) -> None:
    assert gateway.send(urlencode(COMMAND), age_seconds=age_seconds)["statusCode"] == 401
    assert gateway.queue.sent == []


def test_another_secret_or_a_changed_body_is_refused(gateway: Gateway) -> None:
    assert gateway.send(urlencode(COMMAND), secret="another")["statusCode"] == 401
    event = proxy_event(urlencode(COMMAND), {})
    assert gateway.answer(event)["statusCode"] == 401
    assert gateway.answer({**event, "headers": None, "body": None})["statusCode"] == 401
    assert gateway.queue.sent == []


def test_unsigned_headers_that_bolt_knows_have_no_effect(gateway: Gateway) -> None:
    headers = {"X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "on_command"}
    assert gateway.send(urlencode(COMMAND), headers=headers)["statusCode"] == 200
    assert len(gateway.queue.sent) == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", "application/json"),
        ("[]", "application/json"),
        ("null", "application/json"),
        ('"text"', "application/json"),
        ("[" * 100_000, "application/json"),
        ("payload=%7B", FORM),
        ("payload=[1]", FORM),
        ("payload=null", FORM),
        ("", FORM),
        ("command=%2Fimagine", FORM),
        ("\x00\x01", FORM),
        ('{"type": "event_callback", "event": "x", "team_id": "T1"}', "application/json"),
        ('{"type": "event_callback", "event": {"type": "app_mention"}, "team_id": "T1"}', "application/json"),
        ('{"type": "block_actions", "actions": [1], "user": {"id": "U1"}, "team": {"id": "T1"}}', "application/json"),
        ('{"type": "view_submission", "view": [], "user": {"id": "U1"}, "team": {"id": "T1"}}', "application/json"),
        ('{"type": "something_else"}', "application/json"),
    ],
)
def test_what_is_signed_but_makes_no_sense_is_400(gateway: Gateway, body: str, content_type: str) -> None:
    assert gateway.send(body, content_type)["statusCode"] == 400
    assert gateway.queue.sent == []


def test_bodies_that_are_no_text_or_absurdly_large_are_refused(gateway: Gateway) -> None:
    event = proxy_event("", {})
    assert gateway.answer({**event, "body": "%%%", "isBase64Encoded": True})["statusCode"] == 400
    assert gateway.answer({**event, "body": "/////w==", "isBase64Encoded": True})["statusCode"] == 400
    assert gateway.send("x" * 1_000_001)["statusCode"] == 413


def test_a_command_that_nobody_registered_is_404(gateway: Gateway) -> None:
    assert gateway.send(urlencode({**COMMAND, "command": "/unknown"}))["statusCode"] == 404


def test_url_verification_is_answered(gateway: Gateway) -> None:
    answer = gateway.send_json({"type": "url_verification", "challenge": "abc", "token": "t"})
    assert answer["statusCode"] == 200 and "abc" in answer["body"]


def test_a_queue_that_is_down_is_told_at_once(gateway: Gateway) -> None:
    gateway.queue.is_down = True
    answer = gateway.send(urlencode(COMMAND))

    document = json.loads(answer["body"])
    assert answer["statusCode"] == 200 and document["response_type"] == "ephemeral"
    assert "could not take that" in document["text"] and "Reference" in document["text"]


def test_what_nobody_foresaw_is_told_with_a_reference_and_without_its_text(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(invocation: object) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(gateway.queue, "send", fail)
    answer = gateway.send(urlencode(COMMAND))
    assert answer["statusCode"] == 200 and "Reference" in answer["body"] and "hunter2" not in answer["body"]


def _pressed(**facts: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": "U1", "team_id": "T1"},
        "container": {"type": "message", "channel_id": "C1", "message_ts": "1.1"},
        "channel": {"id": "C1"},
        "message": {"ts": "1.1"},
        "trigger_id": "1.2.x",
        "actions": [
            {"action_id": "easel_delete", "block_id": "b", "value": "job-1", "action_ts": "2.1", "type": "button"}
        ],
        **facts,
    }


def test_a_press_is_queued_with_who_where_and_what(gateway: Gateway) -> None:
    for _ in range(2):
        assert gateway.send(urlencode({"payload": json.dumps(_pressed())}))["statusCode"] == 200

    first, second = gateway.queue.sent
    assert first.request_key == second.request_key and first.kind is Kind.DELETE
    assert (first.member, first.message_ts, first.value) == ("U1", "1.1", "job-1")


def test_a_press_by_somebody_of_another_company_says_so_to_the_worker(gateway: Gateway) -> None:
    body = _pressed(user={"id": "U9", "team_id": "T9"})
    assert gateway.send(urlencode({"payload": json.dumps(body)}))["statusCode"] == 200
    [invocation] = gateway.queue.sent
    assert (invocation.team, invocation.member, invocation.actor_team) == ("T1", "U9", "T9")
    assert invocation.is_external


@pytest.mark.parametrize("user", [{"id": "U9"}, {"id": "U9", "team_id": None}, {"id": "U9", "team_id": "E9"}])
@pytest.mark.parametrize("action_id", ["easel_delete", "easel_edit", "easel_admin_confirm"])
def test_a_press_by_nobody_knows_whom_is_not_queued(gateway: Gateway, user: dict[str, Any], action_id: str) -> None:
    action = {"action_id": action_id, "block_id": "b", "value": "words add foo", "action_ts": "2.1", "type": "button"}
    body = _pressed(user=user, actions=[action])
    assert gateway.send(urlencode({"payload": json.dumps(body)}))["statusCode"] == 200
    assert gateway.queue.sent == []


@pytest.mark.parametrize(
    "facts",
    [
        {"user_team": "E9"},
        {"team": "E9"},
        {"bot_id": "B1"},
        {"user": "U0BOT"},
        {"subtype": "message_changed"},
        {"subtype": "bot_message"},
    ],
)
def test_mentions_by_nobody_knows_whom_bots_and_edits_are_not_queued(gateway: Gateway, facts: dict[str, str]) -> None:
    gateway.send_json(_mention(**facts))
    assert gateway.queue.sent == []


@pytest.mark.parametrize("facts", [{"user_team": "T9"}, {"team": "T9"}])
def test_a_mention_by_somebody_of_another_company_says_so_to_the_worker(
    gateway: Gateway, facts: dict[str, str]
) -> None:
    gateway.send_json({**_mention(**facts), "is_ext_shared_channel": True})
    [invocation] = gateway.queue.sent
    assert (invocation.team, invocation.actor_team, invocation.is_external) == ("T1", "T9", True)


def test_an_unknown_team_in_a_shared_channel_is_not_queued(gateway: Gateway) -> None:
    gateway.send_json({**_mention(), "is_ext_shared_channel": True})
    assert gateway.queue.sent == []


def _mention(**facts: Any) -> dict[str, Any]:
    event = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1.1", "text": "<@U0BOT> a red boat", **facts}
    return {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": "Ev1",
        "event": event,
        "authorizations": [{"user_id": "U0BOT", "team_id": "T1", "is_bot": True}],
    }


def test_a_retried_event_is_the_same_request_and_is_not_dropped(gateway: Gateway) -> None:
    gateway.send_json(_mention())
    gateway.send_json(_mention(), headers={"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"})
    # The same message also arrives as a message event, where the app listens to those.
    gateway.send_json(_mention(type="message", channel_type="im"))

    assert len({invocation.request_key for invocation in gateway.queue.sent}) == 1
    assert len(gateway.queue.sent) == 3 and gateway.queue.sent[0].said == {"words": "a red boat", "values": {}}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["type", "event", "team_id", "team", "user", "actions", "view", "container", "message", "authorizations", "text"]
)
TYPES = st.sampled_from(["event_callback", "block_actions", "view_submission", "block_suggestion", "view_closed"])


@settings(max_examples=150, deadline=None)
@given(document=st.dictionaries(KEYS, JSON_VALUES, max_size=8), kind=TYPES, as_payload=st.booleans())
def test_no_signed_document_crashes_it(shared: Gateway, document: dict[str, Any], kind: str, as_payload: bool) -> None:
    body = json.dumps({**document, "type": kind})
    answer = shared.send(urlencode({"payload": body})) if as_payload else shared.send(body, "application/json")
    assert answer["statusCode"] in {200, 400, 404}


@settings(max_examples=100, deadline=None)
@given(
    base=st.sampled_from([_mention(), _pressed()]),
    path=st.lists(st.integers(0, 9), min_size=1, max_size=3),
    value=JSON_VALUES,
)
def test_one_wrong_value_anywhere_does_not_crash_it(
    shared: Gateway, base: dict[str, Any], path: list[int], value: Any
) -> None:
    document = json.loads(json.dumps(base))
    place: Any = document
    for step in path[:-1]:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        inner = place[keys[step % len(keys)]] if keys else None
        if not isinstance(inner, dict | list) or not inner:
            break
        place = inner
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[keys[path[-1] % len(keys)]] = value

    answer = shared.send_json(document)
    assert answer["statusCode"] in {200, 400, 404}


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=300), command=st.sampled_from(["/imagine", "/imagine-admin"]))
def test_no_command_text_crashes_it(shared: Gateway, text: str, command: str) -> None:
    body = {**COMMAND, "command": command, "text": text.encode("utf-8", "replace").decode()}
    answer = shared.send(urlencode(body))
    # The form can't be opened without Slack; that is told, too.
    assert answer["statusCode"] == 200
