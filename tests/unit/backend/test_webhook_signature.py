"""Signatures and retries: what the specification asks for."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.outbound.webhook_sender import read_retry_after
from backend_lambda.version import VERSION
from backend_lambda.webhooks.record import make_message_id, make_webhook_id
from backend_lambda.webhooks.retries import LONGEST_WAIT, TRIES, WAITS, wait_after
from backend_lambda.webhooks.signature import new_secret, signature_headers

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_the_specifications_own_example_is_signed_as_it_says() -> None:
    headers = signature_headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_secret_signs_and_any_one_verifies() -> None:
    secrets = [new_secret(), new_secret()]
    both = signature_headers(secrets, "msg_1", 1, b"{}")["webhook-signature"].split(" ")
    assert both == [signature_headers([secret], "msg_1", 1, b"{}")["webhook-signature"] for secret in secrets]
    assert both[0] != both[1]


def test_a_secret_is_random_and_as_long_as_the_specification_wants() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    for secret in secrets:
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
        assert secret.startswith("whsec_")


@settings(deadline=None)
@given(st.binary(), st.integers(0, 2**33))
def test_what_is_signed_is_id_time_and_body(body: bytes, at: int) -> None:
    secret = new_secret()
    [_, given_signature] = signature_headers([secret], "msg_x", at, body)["webhook-signature"].split(",")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = hmac.new(key, b"msg_x." + str(at).encode() + b"." + body, hashlib.sha256).digest()
    assert base64.b64decode(given_signature) == expected


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_ids_are_the_same_for_the_same_and_never_have_a_full_stop(tenant: str, url: str, event_id: str) -> None:
    webhook_id = make_webhook_id(tenant, url)
    message_id = make_message_id(event_id, webhook_id)
    assert webhook_id == make_webhook_id(tenant, url)
    assert message_id == make_message_id(event_id, webhook_id)
    assert "." not in message_id
    signature_headers([new_secret()], message_id, 1, b"")


def test_an_id_with_a_full_stop_is_never_signed() -> None:
    with pytest.raises(ValueError, match="full stop"):
        signature_headers([new_secret()], "msg_1.2", 3, b"")


def test_waits_grow_over_hours() -> None:
    waits = [wait_after(tries, jitter=0) for tries in range(1, TRIES)]
    assert waits == list(WAITS) == sorted(WAITS)
    assert timedelta(hours=12) < sum(WAITS, timedelta()) < timedelta(days=2)
    assert WAITS[0] <= timedelta(seconds=10)


def test_after_the_last_try_there_is_none() -> None:
    assert wait_after(TRIES, jitter=0) is None
    assert wait_after(TRIES + 1, jitter=0, retry_after=timedelta(seconds=1)) is None


@settings(deadline=None)
@given(st.integers(1, TRIES - 1), st.floats(0, 1), st.none() | st.timedeltas(timedelta(), timedelta(days=999_999)))
def test_a_wait_is_never_shorter_than_its_step_nor_longer_than_sqs_can(
    tries: int, jitter: float, retry_after: timedelta | None
) -> None:
    wait = wait_after(tries, jitter=jitter, retry_after=retry_after)
    assert wait is not None
    assert WAITS[tries - 1] <= wait <= LONGEST_WAIT < timedelta(hours=12)
    if retry_after is not None:
        assert wait >= min(retry_after, LONGEST_WAIT)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("99999999999999999999", None),
        ("Wed, 25 Nov 2026 12:01:00 GMT", 60),
        ("Wed, 25 Nov 2026 11:59:00 GMT", None),
        ("Wed, 25 Nov 2026 12:01:00 -0000", 60),
        ("Wed, 99 Nov 2026 12:01:00 GMT", None),
        ("٣", None),
    ],
)
def test_what_a_receiver_asks_for_is_read(header: str | None, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert read_retry_after(header, NOON) == expected


@settings(deadline=None)
@given(st.text())
def test_any_retry_after_is_survived(header: str) -> None:
    wait = read_retry_after(header, NOON)
    assert wait is None or wait >= timedelta()


def test_what_easel_calls_itself_is_its_version() -> None:
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert f'\nversion = "{VERSION}"\n' in project
