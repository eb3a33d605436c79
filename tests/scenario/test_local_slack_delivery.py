"""The local workspace delivers as Slack does: signed, in time or not, again, twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.scenario.local_slack_app import Running, wait_until


@pytest.fixture(scope="module")
def module_running() -> Iterator[Running]:
    """One workspace server for all tests."""
    running = Running()
    yield running
    running.stop()


@pytest.fixture
def running(module_running: Running) -> Running:
    """A workspace as new, with a Bolt app that has no listeners yet."""
    return module_running.start_over()


def test_a_command_reaches_bolt_signed_and_its_ack_is_shown(running: Running) -> None:
    seen: list[dict[str, Any]] = []

    @running.app.command("/paint")
    def paint(ack: Any, command: dict[str, Any]) -> None:
        seen.append(command)
        ack(f"painting {command['text']}")

    outcome = running.ada.run_command("#design", "/paint a red boat")

    assert outcome.ok
    assert seen[0]["text"] == "a red boat"
    assert seen[0]["user_name"] == "ada"
    assert seen[0]["channel_name"] == "design"
    assert seen[0]["is_enterprise_install"] == "false"
    assert seen[0]["trigger_id"] and seen[0]["response_url"].startswith(running.server.url)
    assert [message.text for message in running.ada.ephemerals("#design")] == ["painting a red boat"]
    assert running.grace.ephemerals() == []
    delivery = running.workspace.deliveries("command")[0]
    assert delivery.outcome == "acked" and delivery.ack_ms is not None and delivery.ack_ms < 500
    assert running.served.received[-1]["headers"]["user-agent"].startswith("Slackbot 1.0")


def test_a_wrong_signing_secret_shows_dispatch_failed(running: Running) -> None:
    running.server.workspace.deliverer.signing_secret = "another"

    outcome = running.ada.run_command("#design", "/paint a red boat")

    assert (outcome.ok, outcome.error) == (False, "dispatch_failed")
    assert running.ada.ephemerals()[0].text == '/paint failed with the error "dispatch_failed"'
    assert running.workspace.deliveries("command")[0].status == 401


def test_a_command_that_isnt_acked_in_time_shows_operation_timeout(running: Running) -> None:
    @running.app.command("/paint")
    def paint(ack: Any) -> None:
        time.sleep(0.8)
        ack()

    outcome = running.ada.run_command("#design", "/paint a red boat")

    assert outcome.text == '/paint failed with the error "operation_timeout"'
    assert [message.text for message in running.ada.ephemerals()] == [outcome.text]


def test_a_dropped_ack_looks_like_a_timeout_though_the_app_got_the_command(running: Running) -> None:
    texts: list[str] = []

    @running.app.command("/paint")
    def paint(ack: Any, command: dict[str, Any]) -> None:
        texts.append(command["text"])
        ack("done")

    running.workspace.drop_acks(kind="command")
    assert running.ada.run_command("#design", "/paint one").error == "operation_timeout"
    assert running.ada.run_command("#design", "/paint two").ok
    assert texts == ["one", "two"]
    assert running.workspace.deliveries("command")[0].faults == ["drop_ack"]


def test_a_lost_command_never_reaches_the_app(running: Running) -> None:
    running.workspace.lose_deliveries()
    assert running.ada.run_command("#design", "/paint one").error == "operation_timeout"
    assert running.served.received == []


def test_a_delayed_command_arrives_after_slack_gave_up_with_an_expired_trigger(running: Running) -> None:
    errors: list[str] = []

    @running.app.command("/form")
    def form(ack: Any, client: Any, command: dict[str, Any]) -> None:
        ack()
        answer = client.views_open(
            trigger_id=command["trigger_id"],
            view={"type": "modal", "title": {"type": "plain_text", "text": "Late"}, "blocks": []},
        )
        errors.append(str(answer))

    running.app.error(lambda error: errors.append(error.response["error"]))
    running.workspace.delay_deliveries(0.7)
    assert running.ada.run_command("#design", "/form").error == "operation_timeout"
    wait_until(lambda: errors)
    assert errors == ["expired_trigger_id"]


def test_a_repeated_command_arrives_three_times_with_one_trigger(running: Running) -> None:
    triggers: list[str] = []

    @running.app.command("/paint")
    def paint(ack: Any, command: dict[str, Any]) -> None:
        triggers.append(command["trigger_id"])
        ack()

    running.workspace.repeat_deliveries(times=3)
    running.ada.run_command("#design", "/paint one")
    wait_until(lambda: len(triggers) == 3)
    assert len(set(triggers)) == 1


def test_an_unknown_command_and_a_command_in_a_thread_are_refused_by_slack_itself(running: Running) -> None:
    unknown = running.ada.run_command("#design", "/nothing here")
    assert unknown.text.startswith("/nothing is not a valid command. In case you want to send a message")
    parent = running.ada.post("#design", "hello")
    assert running.ada.run_command("#design", "/paint x", thread_ts=parent.ts).text == (
        "/paint is not supported in threads. Sorry!"
    )
    assert not running.workspace.deliveries("command")


def test_an_in_channel_answer_shows_the_command_and_the_answer_to_everybody(running: Running) -> None:
    @running.app.command("/paint")
    def paint(ack: Any) -> None:
        ack(response_type="in_channel", text="for all")

    running.ada.run_command("#design", "/paint a boat")
    assert [message.text for message in running.grace.messages("#design")] == ["/paint a boat", "for all"]


def test_escaping_encodes_mentions_where_the_manifest_asks_for_it(running: Running) -> None:
    texts: list[str] = []
    running.app.command("/links")(lambda ack, command: (texts.append(command["text"]), ack())[1])
    running.app.command("/paint")(lambda ack, command: (texts.append(command["text"]), ack())[1])
    running.ada.run_command("#design", "/links for @grace in #general")
    running.ada.run_command("#design", "/paint for @grace")
    grace, general = running.grace.id, running.workspace.channel_id("#general")
    assert texts == [f"for <@{grace}|grace> in <#{general}|general>", "for @grace"]


def test_a_mention_makes_app_mention_and_message_events(running: Running) -> None:
    events: list[dict[str, Any]] = []
    running.app.event("app_mention")(lambda event: events.append(event))
    running.app.event("message")(lambda event: events.append(event))

    parent = running.ada.post("#design", "a *thread*")
    reply = running.ada.mention(parent, "a red boat")

    wait_until(lambda: len(events) == 3)
    mention = next(event for event in events if event["type"] == "app_mention")
    assert mention["thread_ts"] == parent.ts and mention["ts"] == reply.ts
    bot = running.web.auth_test()["user_id"]
    assert mention["text"] == f"<@{bot}> a red boat"
    message = next(event for event in events if event["type"] == "message" and event.get("thread_ts"))
    assert message["channel_type"] == "channel"
    envelope = parse_body(running, "event")
    assert envelope["type"] == "event_callback" and envelope["event_id"].startswith("Ev")
    assert envelope["authorizations"][0]["is_bot"] is True


def test_an_unacknowledged_event_is_retried_three_times_with_its_reason(running: Running) -> None:
    arrived = threading.Event()

    @running.app.event("app_mention")
    def mention(event: dict[str, Any]) -> None:
        arrived.set()

    running.workspace.drop_acks(count=3, kind="event")
    running.app.event("message")(lambda ack: ack())
    running.ada.mention("#random", "hello")
    running.workspace.wait_for(
        lambda: [entry for entry in running.workspace.deliveries("event") if entry.retry_num == 1], timeout=5
    )
    retry = next(entry for entry in running.workspace.deliveries("event") if entry.retry_num == 1)
    assert retry.headers["X-Slack-Retry-Num"] == "1"
    assert retry.headers["X-Slack-Retry-Reason"] == "http_timeout"
    assert arrived.is_set()


def test_http_errors_are_retried_until_three_retries_are_over(running: Running) -> None:
    # No listener: Bolt answers 404.
    running.ada.post("#design", "hello")
    running.workspace.wait_for(lambda: len(running.workspace.deliveries("event")) == 4)
    entries = running.workspace.deliveries("event")
    assert [entry.retry_num for entry in entries] == [0, 1, 2, 3]
    assert {entry.headers["X-Slack-Retry-Reason"] for entry in entries[1:]} == {"http_error"}
    time.sleep(0.1)
    assert len(running.workspace.deliveries("event")) == 4


def test_url_verification_is_answered_by_bolt(running: Running) -> None:
    assert running.workspace.verify_request_url()
    running.workspace.set_request_url("http://127.0.0.1:9/nobody")
    assert not running.workspace.verify_request_url()
    assert running.ada.run_command("#design", "/paint x").error == "dispatch_failed"


def test_the_app_hears_nothing_of_channels_it_isnt_in_until_it_is_invited(running: Running) -> None:
    events: list[dict[str, Any]] = []
    for name in ("message", "app_mention", "member_joined_channel"):
        running.app.event(name)(lambda event: events.append(event))
    running.workspace.add_channel("quiet", members=["grace"])
    running.ada.mention("#quiet", "anybody?")
    assert "isn't in this channel" in running.ada.ephemerals("#quiet")[0].text
    assert running.ada.run_command("#quiet", "/invite @easel").ok
    wait_until(lambda: any(event["type"] == "member_joined_channel" for event in events))
    assert not any(event["type"] == "app_mention" for event in events)


def test_uninstalling_refuses_the_token(running: Running) -> None:
    running.workspace.uninstall_app()
    with pytest.raises(Exception, match="account_inactive"):
        running.web.auth_test()
    running.workspace.reinstall_app()
    assert running.web.auth_test()["ok"]


def parse_body(running: Running, kind: str) -> dict[str, Any]:
    """The body of the first delivery of a kind."""
    import json

    body = running.workspace.deliveries(kind)[0].body
    return json.loads(body) if body.startswith("{") else {key: value[0] for key, value in parse_qs(body).items()}
