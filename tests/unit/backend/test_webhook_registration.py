"""Registering, listing and deleting webhooks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend_lambda.contract.events import EVENT_TYPES
from backend_lambda.contract.webhooks import (
    ENDS,
    MAX_WEBHOOKS,
    DisabledBecause,
    EventName,
    RegisteredWebhook,
    RegisterWebhook,
    Trouble,
    TroubleCode,
)
from backend_lambda.usecases.delete_webhook import delete_webhook
from backend_lambda.usecases.list_webhooks import list_webhooks
from backend_lambda.usecases.refusals import FieldRefused, WebhookNotFound
from backend_lambda.usecases.register_webhook import MAX_PREVIOUS, OVERLAP, register_webhook
from tests.fakes.backend import ADA, BOB, MALLORY, NOON, FakeClock
from tests.fakes.webhooks import FakeWebhooks

URL = "https://hooks.example.com/easel"


@pytest.fixture
def webhooks() -> FakeWebhooks:
    return FakeWebhooks(FakeClock())


def register(webhooks: FakeWebhooks, url: str = URL, **more: object) -> RegisteredWebhook:
    return register_webhook(ADA, RegisterWebhook.model_validate({"url": url, **more}), webhooks.registry)


def test_a_webhook_is_registered_listed_without_its_secret_and_deleted(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    assert made.secret.startswith("whsec_")
    assert (made.url, made.events, made.registered_at, made.registered_by) == (URL, list(ENDS), NOON, ADA.member)
    [listed] = list_webhooks(BOB, webhooks.registry).webhooks
    assert listed.model_dump() == {**made.model_dump(exclude={"secret"})}
    assert made.secret not in listed.model_dump_json()
    assert delete_webhook(BOB, made.webhook_id, webhooks.registry) == listed
    assert list_webhooks(ADA, webhooks.registry).webhooks == []
    with pytest.raises(WebhookNotFound):
        delete_webhook(ADA, made.webhook_id, webhooks.registry)


def test_the_secret_is_sealed_where_it_is_kept(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    [record] = webhooks.store.records.values()
    assert webhooks.vault.open(record.secret, ADA.tenant) == made.secret


def test_the_events_are_those_of_the_bus() -> None:
    assert {name.value for name in EventName} == set(EVENT_TYPES)


def test_only_the_wanted_events_are_kept_each_once(webhooks: FakeWebhooks) -> None:
    made = register(webhooks, events=["JobProgressed", "JobFailed", "JobProgressed"])
    assert made.events == [EventName.JOB_PROGRESSED, EventName.JOB_FAILED]


def test_another_tenant_neither_sees_nor_deletes_it(webhooks: FakeWebhooks) -> None:
    made = register(webhooks)
    assert list_webhooks(MALLORY, webhooks.registry).webhooks == []
    with pytest.raises(WebhookNotFound):
        delete_webhook(MALLORY, made.webhook_id, webhooks.registry)
    theirs = register_webhook(MALLORY, RegisterWebhook(url=URL), webhooks.registry)
    assert theirs.webhook_id != made.webhook_id
    assert len(webhooks.store.records) == 2


def test_the_sixth_is_refused_and_changes_nothing(webhooks: FakeWebhooks) -> None:
    for number in range(MAX_WEBHOOKS):
        register(webhooks, f"{URL}/{number}")
    with pytest.raises(FieldRefused, match="Delete one first") as refused:
        register(webhooks, f"{URL}/more")
    assert refused.value.field == "url"
    assert len(webhooks.store.records) == MAX_WEBHOOKS
    register(webhooks, f"{URL}/0")
    register_webhook(MALLORY, RegisterWebhook(url=URL), webhooks.registry)


def test_the_same_url_again_is_the_same_webhook_with_a_new_secret(webhooks: FakeWebhooks) -> None:
    first = register(webhooks)
    record = webhooks.store.records[ADA.tenant, first.webhook_id]
    webhooks.store.failed(record, Trouble(at=NOON, code=TroubleCode.TIMEOUT))
    webhooks.store.disable(record, DisabledBecause.FAILING, NOON, unless_delivered_since=None)
    webhooks.clock.go_on(timedelta(hours=1))
    again = register(webhooks, "HTTPS://Hooks.Example.com:443/easel", events=["JobFailed"])
    assert again.webhook_id == first.webhook_id
    assert again.secret != first.secret
    assert (again.failures, again.trouble, again.disabled_at) == (0, None, None)
    assert again.events == [EventName.JOB_FAILED]
    [record] = webhooks.store.records.values()
    [previous] = record.previous
    assert webhooks.vault.open(previous.secret, ADA.tenant) == first.secret
    assert previous.until == webhooks.clock.now() + OVERLAP


def signing(webhooks: FakeWebhooks) -> list[str]:
    """The secrets that sign now."""
    [record] = webhooks.store.records.values()
    sealed = [record.secret, *(one.secret for one in record.previous if webhooks.clock.now() < one.until)]
    return [webhooks.vault.open(one, ADA.tenant) for one in sealed]


def test_repeating_after_a_lost_answer_keeps_the_secret_that_the_receiver_knows(webhooks: FakeWebhooks) -> None:
    known = register(webhooks).secret
    webhooks.clock.go_on(timedelta(days=30))
    lost = register(webhooks).secret
    webhooks.clock.go_on(timedelta(hours=1))
    answered = register(webhooks).secret
    assert signing(webhooks) == [answered, lost, known]
    # Each for as long as it would without the repetition.
    webhooks.clock.go_on(OVERLAP - timedelta(hours=1))
    assert signing(webhooks) == [answered, lost]
    webhooks.clock.go_on(timedelta(hours=1))
    assert signing(webhooks) == [answered]
    register(webhooks)
    [record] = webhooks.store.records.values()
    assert len(record.previous) == 1, "what has ended is forgotten"


def test_of_very_many_repetitions_the_first_and_the_last_are_kept(webhooks: FakeWebhooks) -> None:
    made = [register(webhooks).secret for _ in range(MAX_PREVIOUS + 5)]
    assert signing(webhooks) == [*made[: -MAX_PREVIOUS - 1 : -1], made[0]]


def test_two_who_register_the_same_url_at_once_both_hold_a_secret_that_verifies(webhooks: FakeWebhooks) -> None:
    others: list[RegisteredWebhook] = []
    for _ in range(2):
        webhooks.store.meanwhile = lambda: others.append(register(webhooks))
        mine = register(webhooks)
        assert signing(webhooks)[:2] == [mine.secret, others[-1].secret]


def test_one_that_is_deleted_meanwhile_is_registered_anew(webhooks: FakeWebhooks) -> None:
    first = register(webhooks)
    webhooks.store.meanwhile = lambda: delete_webhook(ADA, first.webhook_id, webhooks.registry)
    again = register(webhooks)
    [record] = webhooks.store.records.values()
    assert webhooks.vault.open(record.secret, ADA.tenant) == again.secret
    assert record.previous == ()


@pytest.mark.parametrize(
    ("url", "addresses", "words"),
    [
        ("http://hooks.example.com/", ["1.1.1.1"], "https"),
        ("https://user:secret@hooks.example.com/", ["1.1.1.1"], "not a URL"),
        ("https://hooks.example.com/", ["10.0.0.1"], "public internet"),
        ("https://hooks.example.com/", ["1.1.1.1", "127.0.0.1"], "public internet"),
        ("https://hooks.example.com/", ["169.254.169.254"], "public internet"),
        ("https://nowhere.example.com/", [], "can't be found"),
        ("https://127.0.0.1/", [], "public internet"),
        ("https://[::1]/", [], "public internet"),
        ("https://localhost/", ["127.0.0.1"], "whole name"),
        ("http://127.0.0.1:8080/", [], "https"),
    ],
)
def test_a_url_that_may_not_be_delivered_to_is_refused_and_nothing_kept(
    webhooks: FakeWebhooks, url: str, addresses: list[str], words: str
) -> None:
    webhooks.resolver.hosts = {"hooks.example.com": addresses, "localhost": addresses}
    with pytest.raises(FieldRefused, match=words) as refused:
        register(webhooks, url)
    assert (refused.value.field, refused.value.given) == ("url", url)
    assert webhooks.store.records == {}


def test_development_registers_the_own_machine() -> None:
    webhooks = FakeWebhooks(FakeClock(), to_loopback=True)
    assert register(webhooks, "http://127.0.0.1:8080/hook").url == "http://127.0.0.1:8080/hook"
    with pytest.raises(FieldRefused):
        register(webhooks, "http://169.254.169.254/latest/meta-data/")
