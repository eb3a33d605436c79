"""`/webhooks` as clients see it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.api.handler import respond
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.contract.webhooks import RegisteredWebhook, RegisterWebhook, Webhook, WebhookList
from tests.fakes.backend import ADA, MALLORY, FakeBackend
from tests.fakes.backend_events import request
from tests.unit.backend.test_api_answers import Api, log  # noqa: F401 - a fixture

GOOD = {"url": "https://hooks.example.com/easel"}


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_webhook_is_registered_listed_and_deleted(api: Api) -> None:
    status, answer = api("POST", "/webhooks", GOOD)
    made = RegisteredWebhook.model_validate(answer)
    assert (status, answer["url"], answer["events"]) == (
        201,
        GOOD["url"],
        ["JobSucceeded", "JobFailed", "JobCancelled"],
    )
    status, answer = api("GET", "/webhooks")
    [listed] = WebhookList.model_validate(answer).webhooks
    assert (status, listed.webhook_id) == (200, made.webhook_id)
    assert "secret" not in json.dumps(answer)
    status, answer = api("DELETE", f"/webhooks/{made.webhook_id}")
    assert (status, Webhook.model_validate(answer)) == (200, listed)
    assert api.refused("DELETE", f"/webhooks/{made.webhook_id}").code is ErrorCode.WEBHOOK_NOT_FOUND


def test_another_tenants_webhook_answers_as_one_that_is_not_there(api: Api) -> None:
    webhook_id = api("POST", "/webhooks", GOOD)[1]["webhook_id"]
    there = api("DELETE", f"/webhooks/{webhook_id}", arn=MALLORY.arn)
    missing = api("DELETE", "/webhooks/wh-aaaaaaaaaaaaaaaaaaaaaaaaaa", arn=MALLORY.arn)
    assert there[0] == missing[0] == 404
    assert {**there[1], "given": ""} == {**missing[1], "given": ""}
    assert api("GET", "/webhooks", arn=MALLORY.arn) == (200, {"webhooks": []})
    assert len(api("GET", "/webhooks")[1]["webhooks"]) == 1


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"url": None}, "url", "text"),
        ({"url": ""}, "url", "at least 1"),
        ({"url": "x" * 1001}, "url", "at most 1000"),
        ({"url": "http://hooks.example.com/"}, "url", "https"),
        ({"url": "https://169.254.169.254/latest/"}, "url", "public internet"),
        ({"url": "https://nowhere.example.com/"}, "url", "can't be found"),
        ({"events": []}, "events", "at least 1"),
        ({"events": ["JobSucceeded", "JobTaken"]}, "events.1", "one of"),
        ({"events": "JobSucceeded"}, "events", "a list"),
        ({"secret": "whsec_mine"}, "secret", "no field"),
    ],
)
def test_what_is_wrong_is_named(api: Api, change: dict[str, Any], field: str, words: str) -> None:
    error = api.refused("POST", "/webhooks", GOOD | change)
    assert (error.code, error.field) == (ErrorCode.INVALID_REQUEST, field)
    assert words in error.message
    assert api.backend.webhooks.store.records == {}


def test_an_unknown_field_is_told_those_that_there_are(api: Api) -> None:
    error = api.refused("POST", "/webhooks", GOOD | {"event": ["JobFailed"]})
    assert error.message == "There is no field event. Did you mean events?"
    assert error.allowed == ", ".join(sorted(RegisterWebhook.model_fields))


def test_a_caller_that_is_not_known_is_refused(api: Api) -> None:
    for method, path, body in (
        ("POST", "/webhooks", GOOD),
        ("GET", "/webhooks", None),
        ("DELETE", "/webhooks/x", None),
    ):
        assert api.refused(method, path, body, arn=None).code is ErrorCode.NOT_ALLOWED


def test_no_secret_and_no_url_is_logged(api: Api, log: Any) -> None:  # noqa: F811
    secret = api("POST", "/webhooks", {"url": "https://hooks.example.com/path-with-token"})[1]["secret"]
    output = log.getvalue()
    assert "webhook registered" in output
    assert secret not in output
    assert "path-with-token" not in output


@settings(deadline=None, max_examples=60)
@given(st.text() | st.from_regex(r"https?://[^/]{1,30}(/.*)?", fullmatch=True))
def test_any_url_is_a_webhook_or_one_sentence(url: str) -> None:
    backend = FakeBackend()
    answer = respond(request("POST", "/webhooks", {"url": url}, arn=ADA.arn), None, backend.backend)
    assert answer["statusCode"] in (201, 422)
    if answer["statusCode"] == 422:
        assert json.loads(answer["body"])["field"] == "url"
