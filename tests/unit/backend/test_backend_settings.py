"""The environment of the backend's functions."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

import backend_lambda
from backend_lambda.wiring import Settings, SettingsError

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


def test_nothing_but_wiring_reads_the_environment() -> None:
    for path in Path(backend_lambda.__file__).parent.rglob("*.py"):
        if path.name != "wiring.py":
            assert not re.search(r"\bos\.environ|\bgetenv\b", path.read_text()), path
