"""From an event on the bus to its receivers, over hours, with everything that goes wrong on the way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.events import EVENT_TYPES, SOURCE, JobEvent
from backend_lambda.contract.webhooks import DisabledBecause, RegisteredWebhook, RegisterWebhook, TroubleCode
from backend_lambda.events.batch import handle_records
from backend_lambda.events.webhooks import handle_record
from backend_lambda.usecases.register_webhook import OVERLAP, register_webhook
from backend_lambda.usecases.submit_job import submit_job
from backend_lambda.version import VERSION
from backend_lambda.webhooks.ports import Answer
from backend_lambda.webhooks.retries import TRIES, WAITS
from tests.fakes.backend import ADA, MALLORY, FakeBackend, FakeClock, ask
from tests.fakes.webhooks import FakeWebhooks, Received

URL = "https://hooks.example.com/easel"
OTHER_URL = "https://hooks.example.com/other"


@pytest.fixture
def webhooks() -> FakeWebhooks:
    return FakeWebhooks(FakeClock())


def register(webhooks: FakeWebhooks, url: str = URL, **more: object) -> RegisteredWebhook:
    return register_webhook(ADA, RegisterWebhook.model_validate({"url": url, **more}), webhooks.registry)


def event_of(name: str = "JobCancelled", key: str = "k1") -> JobEvent:
    """An event as the backend announces it."""
    backend = FakeBackend()
    record = backend.jobs.records[submit_job(ADA, "tiny", ask("ein rotes Boot 🎈", key), backend.ports).job_id]
    facts: dict[str, Any] = {
        "event_id": f"{record.job_id}:{name}",
        "job_id": record.job_id,
        "endpoint": record.endpoint,
        "model": record.model,
        "owner": record.owner,
        "settings": record.settings,
        "context": {"order": "ü"},
        "created_at": record.created_at,
        "at": record.created_at,
    }
    more: dict[str, dict[str, Any]] = {"JobProgressed": {"step": 1, "steps": 20}}
    return EVENT_TYPES[name](**facts, **more.get(name, {}))


def on_the_bus(event: JobEvent) -> str:
    """What EventBridge sends to a queue."""
    return json.dumps(
        {
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": type(event).__name__,
            "source": SOURCE,
            "account": "123456789012",
            "time": "2026-11-23T12:00:00Z",
            "region": "us-east-1",
            "resources": [],
            "detail": json.loads(event.model_dump_json()),
        }
    )


def sqs_record(body: str, receipt: str = "r", receives: int = 1, first_milliseconds: int = 0) -> dict[str, Any]:
    return {
        "messageId": receipt,
        "receiptHandle": receipt,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "ApproximateFirstReceiveTimestamp": str(first_milliseconds),
        },
        "eventSource": "aws:sqs",
    }


def handle(webhooks: FakeWebhooks, *records: dict[str, Any]) -> set[str]:
    """What the function does with a batch. The ids of the messages that come again."""
    answer = handle_records({"Records": list(records)}, None, lambda record: handle_record(record, webhooks.delivery))
    return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}


def announce(webhooks: FakeWebhooks, event: JobEvent | None = None) -> None:
    """An event arrives and is fanned out."""
    assert handle(webhooks, sqs_record(on_the_bus(event or event_of()))) == set()


def work_off(webhooks: FakeWebhooks, hours: float = 0) -> None:
    """Let the function work off what is to be seen, for so long."""
    until = webhooks.clock.now() + timedelta(hours=hours)
    while (next_at := webhooks.queue.next_at) is not None and next_at <= until:
        webhooks.clock.go_on(max(next_at - webhooks.clock.now(), timedelta()))
        for receipt, delivery, attempt in webhooks.queue.receive():
            first = int(attempt.first_at.timestamp() * 1000)
            if not handle(webhooks, sqs_record(delivery.model_dump_json(), receipt, attempt.number, first)):
                webhooks.queue.done(receipt)


def verifies(received: Received, secret: str) -> bool:
    """What a receiver does, written anew from the specification."""
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return expected in headers["webhook-signature"].split(" ")


def test_an_event_reaches_its_webhook_signed(webhooks: FakeWebhooks) -> None:
    made, event = register(webhooks), event_of()
    announce(webhooks, event)
    work_off(webhooks)
    [received] = webhooks.sender.received
    assert received.url == URL
    assert verifies(received, made.secret)
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"] == f"Easel/{VERSION}"
    assert received.headers["webhook-timestamp"] == str(int(webhooks.clock.now().timestamp()))
    body = json.loads(received.body)
    assert (body["type"], body["timestamp"]) == ("JobCancelled", body["data"]["at"])
    assert type(event).model_validate(body["data"]) == event
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None
    assert (record.delivered_at, record.failures) == (webhooks.clock.now(), 0)


def test_only_who_wants_an_event_gets_it(webhooks: FakeWebhooks) -> None:
    register(webhooks)
    register(webhooks, OTHER_URL, events=["JobProgressed", "JobFailed"])
    register_webhook(MALLORY, RegisterWebhook(url="https://hooks.example.com/theirs"), webhooks.registry)
    announce(webhooks)
    work_off(webhooks)
    assert [received.url for received in webhooks.sender.received] == [URL]
    announce(webhooks, event_of("JobProgressed"))
    work_off(webhooks)
    assert [received.url for received in webhooks.sender.received] == [URL, OTHER_URL]


def test_a_tenant_without_webhooks_costs_nothing(webhooks: FakeWebhooks) -> None:
    announce(webhooks)
    assert webhooks.queue.waiting == []


def test_two_failures_and_then_it_is_taken_under_the_same_id(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    webhooks.sender.answers[URL] = [Answer(500), Answer(302), Answer(204)]
    announce(webhooks)
    work_off(webhooks, hours=1)
    received = webhooks.sender.received
    assert len(received) == 3
    assert len({one.headers["webhook-id"] for one in received}) == 1
    assert len({one.body for one in received}) == 1
    assert all(verifies(one, made.secret) for one in received)
    stamps = [int(one.headers["webhook-timestamp"]) for one in received]
    assert [later - before for before, later in itertools.pairwise(stamps)] == [5, 20]
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None
    assert (record.failures, record.trouble, record.disabled_at) == (0, None, None)
    assert webhooks.queue.waiting == []


def test_one_receivers_failure_repeats_nothing_at_another(webhooks: FakeWebhooks) -> None:
    register(webhooks)
    register(webhooks, OTHER_URL)
    webhooks.sender.answers[OTHER_URL] = [Answer(500)] * 4
    announce(webhooks)
    work_off(webhooks, hours=2)
    urls = [received.url for received in webhooks.sender.received]
    assert (urls.count(URL), urls.count(OTHER_URL)) == (1, 5)
    ids = {(received.url, received.headers["webhook-id"]) for received in webhooks.sender.received}
    assert len(ids) == len({webhook_id for _, webhook_id in ids}) == 2


def test_what_a_failing_webhook_had_is_to_be_seen(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    webhooks.sender.answers[URL] = [TroubleCode.TIMEOUT, Answer(503)] + [Answer(500)] * 20
    announce(webhooks)
    work_off(webhooks)
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None and record.trouble is not None
    assert (record.failures, record.trouble.code, record.trouble.status) == (1, TroubleCode.TIMEOUT, None)
    work_off(webhooks, hours=0.01)
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None and record.trouble is not None
    assert (record.failures, record.trouble.code, record.trouble.status) == (3, TroubleCode.STATUS, 500)


def test_after_the_last_try_it_goes_to_the_dead_letter_queue_and_the_webhook_is_disabled(
    webhooks: FakeWebhooks,
) -> None:
    made = register(webhooks)
    webhooks.sender.answers[URL] = [Answer(500)] * 99
    webhooks.clock.go_on(timedelta(seconds=1))
    began = webhooks.clock.now()
    announce(webhooks)
    work_off(webhooks, hours=24)
    assert len(webhooks.sender.received) == TRIES
    assert [delivery.webhook_id for delivery in webhooks.queue.dead] == [made.webhook_id]
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None
    assert (record.failures, record.disabled_because) == (TRIES, DisabledBecause.FAILING)
    assert record.disabled_at == began + sum(WAITS, timedelta())
    announce(webhooks, event_of(key="k2"))
    work_off(webhooks, hours=24)
    assert len(webhooks.sender.received) == TRIES
    assert webhooks.queue.waiting == []


def test_what_waits_for_a_disabled_or_deleted_webhook_is_not_delivered(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    announce(webhooks)
    record = webhooks.store.records[ADA.tenant, made.webhook_id]
    webhooks.store.records[ADA.tenant, made.webhook_id] = replace(record, disabled_at=webhooks.clock.now())
    work_off(webhooks)
    assert (webhooks.sender.received, webhooks.queue.waiting, webhooks.queue.dead) == ([], [], [])
    register(webhooks)
    announce(webhooks)
    webhooks.store.delete(ADA.tenant, made.webhook_id)
    work_off(webhooks)
    assert (webhooks.sender.received, webhooks.queue.waiting, webhooks.queue.dead) == ([], [], [])


def test_one_event_that_is_never_taken_does_not_disable_a_webhook_that_takes_others(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    webhooks.clock.go_on(timedelta(seconds=1))
    webhooks.sender.answers[URL] = [Answer(500)] * (TRIES - 1) + [Answer(204), Answer(500)]
    announce(webhooks)
    work_off(webhooks, hours=10)
    announce(webhooks, event_of(key="k2"))
    work_off(webhooks, hours=24)
    assert len(webhooks.queue.dead) == 1
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None
    assert (record.disabled_at, record.failures) == (None, 1)


def test_an_old_failure_does_not_disable_what_was_registered_again(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    webhooks.sender.answers[URL] = [Answer(500)] * 99
    announce(webhooks)
    work_off(webhooks, hours=9)
    register(webhooks)
    work_off(webhooks, hours=24)
    assert len(webhooks.queue.dead) == 1
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None
    assert record.disabled_at is None


def test_gone_disables_at_once(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    webhooks.sender.answers[URL] = [Answer(410)]
    announce(webhooks)
    announce(webhooks, event_of(key="k2"))
    work_off(webhooks, hours=24)
    assert len(webhooks.sender.received) == 1
    assert (webhooks.queue.waiting, webhooks.queue.dead) == ([], [])
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None and record.trouble is not None
    assert (record.disabled_because, record.trouble.status) == (DisabledBecause.GONE, 410)


def test_a_receiver_that_asks_for_time_gets_it(webhooks: FakeWebhooks) -> None:
    register(webhooks)
    webhooks.sender.answers[URL] = [Answer(429, timedelta(minutes=7)), Answer(503, timedelta(seconds=1)), Answer(200)]
    announce(webhooks)
    work_off(webhooks, hours=1)
    stamps = [int(one.headers["webhook-timestamp"]) for one in webhooks.sender.received]
    assert [later - before for before, later in itertools.pairwise(stamps)] == [420, 20]


def test_an_event_that_comes_twice_has_the_same_ids(webhooks: FakeWebhooks) -> None:
    register(webhooks)
    event = event_of()
    announce(webhooks, event)
    announce(webhooks, event)
    work_off(webhooks)
    first, second = webhooks.sender.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_for_a_day_both_secrets_verify(webhooks: FakeWebhooks) -> None:
    old = register(webhooks)
    webhooks.clock.go_on(timedelta(days=3))
    new = register(webhooks)
    for wait, expected in ((timedelta(), True), (OVERLAP - timedelta(seconds=1), True), (timedelta(seconds=1), False)):
        webhooks.clock.go_on(wait)
        announce(webhooks, event_of(key=f"k{wait.total_seconds():.0f}"))
        work_off(webhooks)
        received = webhooks.sender.received[-1]
        assert verifies(received, new.secret)
        assert verifies(received, old.secret) == expected


def test_a_secret_of_another_tenant_signs_nothing(webhooks: FakeWebhooks) -> None:
    mine = register(webhooks)
    theirs = register_webhook(MALLORY, RegisterWebhook(url=URL), webhooks.registry)
    moved = webhooks.store.records[MALLORY.tenant, theirs.webhook_id].secret
    record = webhooks.store.records[ADA.tenant, mine.webhook_id]
    webhooks.store.records[ADA.tenant, mine.webhook_id] = replace(record, secret=moved)
    announce(webhooks)
    [(receipt, delivery, attempt)] = webhooks.queue.receive()
    assert handle(webhooks, sqs_record(delivery.model_dump_json(), receipt, attempt.number)) == {receipt}
    assert webhooks.sender.received == []


def test_each_message_of_a_batch_is_handled_for_itself(webhooks: FakeWebhooks) -> None:
    register(webhooks)
    bodies = ["not json", on_the_bus(event_of()), "{}", json.dumps({"detail-type": "JobTaken", "detail": {}})]
    assert handle(webhooks, *(sqs_record(body, f"m{index}") for index, body in enumerate(bodies))) == {"m0", "m2", "m3"}
    work_off(webhooks)
    assert len(webhooks.sender.received) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([200, 204, 301, 404, 429, 500, 503, "timeout", "tls"]), max_size=14))
def test_whatever_a_receiver_answers_the_event_is_taken_or_dead_and_never_forgotten(answers: list[Any]) -> None:
    webhooks = FakeWebhooks(FakeClock())
    made = register(webhooks)
    webhooks.clock.go_on(timedelta(seconds=1))
    codes = {"timeout": TroubleCode.TIMEOUT, "tls": TroubleCode.TLS}
    webhooks.sender.answers[URL] = [codes[answer] if answer in codes else Answer(answer) for answer in answers]
    announce(webhooks)
    work_off(webhooks, hours=24)
    tried = [*answers, 204][:TRIES]
    taken = any(answer in (200, 204) for answer in tried)
    assert webhooks.queue.waiting == []
    assert len(webhooks.queue.dead) == (0 if taken else 1)
    record = webhooks.store.get(ADA.tenant, made.webhook_id)
    assert record is not None
    assert (record.disabled_at is None) == taken
    assert record.failures == (0 if taken else TRIES)


@settings(deadline=None)
@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_message_is_an_error_for_the_dead_letter_queue(body: str) -> None:
    webhooks = FakeWebhooks(FakeClock())
    assert handle(webhooks, sqs_record(body)) == {"r"}
