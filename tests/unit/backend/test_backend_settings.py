"""The environment of the backend's functions."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import backend_lambda
from backend_lambda import wiring
from backend_lambda.wiring import (
    ApiSettings,
    DeliverySettings,
    FollowingSettings,
    Settings,
    SettingsError,
    WebhookSettings,
)
from tests.unit.backend.test_api_answers import log  # noqa: F401 - a fixture

WHOLE = {
    "EASEL_MAPPED_ROLES": "easel-artist, arn:aws:iam::123456789012:role/their-artist,",
    "JOBS_TABLE": "jobs",
    "ENDPOINTS_TABLE": "endpoints",
    "GRANTS_TABLE": "grants",
    "AUDIT_TABLE": "audit",
    "USAGE_TABLE": "usage",
    "PICTURES_BUCKET": "pictures",
    "EVENT_BUS": "bus",
    "REQUEST_TTL_SECONDS": "3600",
    "INVOCATION_TIMEOUT_SECONDS": "900",
    "PICTURE_MODERATION": "rekognition",
    "MODERATION_CONFIDENCE": "80",
    "MODERATION_LABELS": "Explicit, Violence,",
    "AWS_REGION": "eu-central-1",
}


def test_a_whole_environment_is_read() -> None:
    settings = Settings.read(WHOLE | {"PATH": "/bin"})
    assert settings.mapped_roles == ("easel-artist", "arn:aws:iam::123456789012:role/their-artist")
    assert settings.region == "eu-central-1"
    assert settings.timing.queue == timedelta(hours=1)
    assert settings.timing.invocation == timedelta(minutes=15)
    assert (settings.picture_moderation, settings.moderation_confidence) == ("rekognition", 80)
    assert settings.moderation_labels == ("Explicit", "Violence")
    bare = Settings.read(WHOLE | {"EASEL_MAPPED_ROLES": "", "PICTURE_MODERATION": "none", "MODERATION_LABELS": ""})
    assert (bare.mapped_roles, bare.picture_moderation, bare.moderation_labels) == ((), "none", ())


def test_everything_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.read({})
    assert all(name in str(error.value) for name in WHOLE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REQUEST_TTL_SECONDS", "59"),
        ("REQUEST_TTL_SECONDS", "21601"),
        ("REQUEST_TTL_SECONDS", "an hour"),
        ("REQUEST_TTL_SECONDS", "²"),
        ("INVOCATION_TIMEOUT_SECONDS", "0"),
        ("INVOCATION_TIMEOUT_SECONDS", "-5"),
        ("JOBS_TABLE", " "),
        ("EASEL_MAPPED_ROLES", "easel-artist easel-admin"),
        ("PICTURE_MODERATION", "somebody"),
        ("MODERATION_CONFIDENCE", "101"),
    ],
)
def test_a_wrong_value_is_named_alone(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.read(WHOLE | {name: value})
    assert [other for other in WHOLE if other in str(error.value)] == [name]


WEBHOOKS = {"WEBHOOKS_TABLE": "webhooks", "TOKENS_KEY_ARN": "arn:key", "WEBHOOKS_TO_LOOPBACK": "refused"}
LORAS = {"LORAS_TABLE": "loras"}
TRAININGS = {
    "TRAININGS_TABLE": "trainings",
    "MODELS_BUCKET": "models",
    "TRAINING_ROLE_ARN": "arn:aws:iam::123456789012:role/easel-training",
    "STACK_NAME": "easel",
}


def test_webhooks_to_this_machine_are_off_but_for_the_one_word() -> None:
    assert not WebhookSettings.read(WEBHOOKS).to_loopback
    for word in ("true", "yes", "1", "Admitted", "900"):
        assert not WebhookSettings.read(WEBHOOKS | {"WEBHOOKS_TO_LOOPBACK": word}).to_loopback
    assert WebhookSettings.read(WEBHOOKS | {"WEBHOOKS_TO_LOOPBACK": "admitted"}).to_loopback


@pytest.mark.parametrize("make", [wiring.registry_ports, wiring.delivery_ports])
def test_webhooks_to_this_machine_are_warned_of_loudly(
    make: Any,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,  # noqa: F811
) -> None:
    for word, warned in (("admitted", True), ("refused", False)):
        environment = (
            WHOLE | WEBHOOKS | LORAS | TRAININGS | {"WEBHOOKS_QUEUE_URL": "https://queue", "WEBHOOKS_TO_LOOPBACK": word}
        )
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        wiring.api_settings.cache_clear()
        make.cache_clear()
        log.truncate(0)
        make()
        assert ("For development only" in log.getvalue()) == warned
        wiring.api_settings.cache_clear()
        make.cache_clear()


def test_what_the_api_and_the_deliveries_miss_is_said_at_once() -> None:
    assert ApiSettings.read(WHOLE | WEBHOOKS | LORAS | TRAININGS).webhooks == WebhookSettings.read(WEBHOOKS)
    assert DeliverySettings.read(WEBHOOKS | {"WEBHOOKS_QUEUE_URL": "https://queue"}).queue_url == "https://queue"
    for read, names in (
        (ApiSettings.read, {*WHOLE, *WEBHOOKS, *LORAS, *TRAININGS}),
        (FollowingSettings.read, {*WHOLE, *LORAS, *TRAININGS}),
        (DeliverySettings.read, {*WEBHOOKS, "WEBHOOKS_QUEUE_URL"}),
    ):
        with pytest.raises(SettingsError) as error:
            read({})
        assert all(name in str(error.value) for name in names)


def test_nothing_but_wiring_reads_the_environment() -> None:
    for path in Path(backend_lambda.__file__).parent.rglob("*.py"):
        if path.name != "wiring.py":
            assert not re.search(r"\bos\.environ|\bgetenv\b", path.read_text()), path
