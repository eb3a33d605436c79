"""Settings, batches, logs: what stands around the use cases."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from bot.aws.slack_secret import SlackSecret
from bot.bot_tokens import RENEW_BEFORE_SECONDS, BotTokens
from bot.handlers.sqs_batch import handle_batch
from bot.logs import JsonFormatter
from bot.token_renewal import TokenRenewal
from bot.wiring import InstallSettings, ResultsSettings, SettingsMissing, SlackSettings, WorkerSettings, wire_slack
from tests.fakes.bot import FakeClock
from tests.fakes.bot_installations import TOKEN_SECONDS, FakeInstallationStore, FakeSlackOAuth, installation

FOR_TOKENS = {"SLACK_SECRET_ARN", "INSTALLATIONS_TABLE", "TOKENS_KEY_ARN"}
REQUIRED = {
    SlackSettings: {*FOR_TOKENS, "BOT_TABLE", "INVOCATIONS_QUEUE_URL", "DEFAULT_ENDPOINT"},
    WorkerSettings: {
        *FOR_TOKENS,
        "BOT_TABLE",
        "GRANTS_TABLE",
        "API_URL",
        "API_ARN",
        "DEFAULT_ENDPOINT",
        "PICTURES_BUCKET",
        "ADMITTED_WORKSPACES",
    },
    ResultsSettings: {*FOR_TOKENS, "BOT_TABLE", "PICTURES_BUCKET"},
    InstallSettings: {*FOR_TOKENS, "EVENT_BUS", "ADMITTED_WORKSPACES"},
}


@pytest.mark.parametrize("settings", REQUIRED)
def test_everything_that_is_missing_is_named_at_once(settings: Any) -> None:
    with pytest.raises(SettingsMissing) as missing:
        settings.from_environment({})
    assert set(re.findall(r"[A-Z_]{4,}", str(missing.value))) == REQUIRED[settings]
    read = settings.from_environment({name: f"<{name}>" for name in REQUIRED[settings]})
    assert read.tokens.slack_api_url == "https://slack.com/api/" and read.tokens.tokens_key_arn == "<TOKENS_KEY_ARN>"


@pytest.mark.parametrize("settings", [WorkerSettings, InstallSettings])
def test_the_list_of_workspaces_may_be_empty_and_not_left_out(settings: Any) -> None:
    given = dict.fromkeys(REQUIRED[settings], "x")
    assert settings.from_environment({**given, "ADMITTED_WORKSPACES": ""}).admitted == ""
    with pytest.raises(SettingsMissing, match="ADMITTED_WORKSPACES"):
        settings.from_environment({name: "x" for name in given if name != "ADMITTED_WORKSPACES"})


def test_the_function_in_haste_renews_no_token_that_is_still_good(monkeypatch: pytest.MonkeyPatch) -> None:
    wired: list[BotTokens] = []

    def build(deps: object, signing_secret: str, tokens: BotTokens, api_url: str) -> object:
        wired.append(tokens)
        return object()

    secret = SlackSecret("s" * 32, client_id="1.2", client_secret="c")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr("bot.slack_app.build_app", build)
    monkeypatch.setattr("bot.aws.slack_secret.read_slack_secret", lambda arn: secret)
    wire_slack(dict.fromkeys(REQUIRED[SlackSettings], "x"))
    [tokens] = wired
    clock = FakeClock()
    store, oauth = FakeInstallationStore(), FakeSlackOAuth(clock)
    monkeypatch.setattr(tokens, "_store", store)
    monkeypatch.setattr(tokens, "_clock", clock)
    monkeypatch.setattr(tokens, "_renewal", TokenRenewal(store, oauth, clock))
    bot = oauth.issue()
    store.save(installation(installed_at=clock.now(), bot=bot))
    clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    assert tokens.token_for("T1", "") == bot.token and oauth.refreshes == 0


class SomeRetries:
    """Remembers the waits."""

    def __init__(self) -> None:
        self.waits: list[int] = []

    def come_again(self, queue_arn: str, receipt_handle: str, seconds: int) -> None:
        """Remember."""
        self.waits.append(seconds)


def _batch(*receives: int) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{index}", "body": str(index), "attributes": {"ApproximateReceiveCount": str(count)}}
            for index, count in enumerate(receives)
        ]
    }


def test_only_what_failed_comes_again_later_and_later() -> None:
    handled: list[tuple[str, bool]] = []
    retries = SomeRetries()

    def handle(body: str, message_id: str, is_last_try: bool) -> None:
        handled.append((message_id, is_last_try))
        if body != "1":
            raise RuntimeError

    answer = handle_batch(_batch(1, 1, 3, 5), handle, 5, retries)

    assert answer == {"batchItemFailures": [{"itemIdentifier": name} for name in ("m0", "m2", "m3")]}
    assert handled == [("m0", False), ("m1", False), ("m2", False), ("m3", True)]
    assert retries.waits == sorted(retries.waits) and retries.waits[0] < 10 and retries.waits[-1] <= 300


def test_log_lines_are_json_with_their_facts() -> None:
    record = logging.makeLogRecord({"name": "easel.bot", "msg": "placeholder", "levelname": "INFO"})
    record.request_key = "command-1"
    line = json.loads(JsonFormatter().format(record))
    assert line["message"] == "placeholder" and line["request_key"] == "command-1" and line["level"] == "INFO"
    try:
        raise ValueError("x")
    except ValueError:
        import sys

        record.exc_info = sys.exc_info()
    assert "ValueError" in json.loads(JsonFormatter().format(record))["exception"]
