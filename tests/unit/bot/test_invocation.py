"""The queue message."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.jobs import SubmitJob
from bot.invocation import Invocation, Kind, MalformedInvocation, request_key

INVOCATIONS = st.builds(
    Invocation,
    kind=st.sampled_from(Kind),
    request_key=st.text(min_size=1, max_size=20),
    team=st.text(max_size=12),
    channel=st.text(min_size=1, max_size=12),
    member=st.text(min_size=1, max_size=12),
    at=st.floats(1, 1e10),
    thread_ts=st.none() | st.just("1.1"),
    message_ts=st.none() | st.just("2.2"),
    value=st.text(max_size=10),
    number=st.integers(0, 4),
    order=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
    response_url=st.none() | st.just("https://hooks.slack.example/secret"),
    enterprise=st.sampled_from(["", "E1"]),
    actor_team=st.sampled_from(["", "T1", "T2", "E1"]),
    command=st.text(max_size=20),
)


@settings(deadline=None)
@given(INVOCATIONS)
def test_it_survives_the_queue(invocation: Invocation) -> None:
    assert Invocation.from_json(invocation.to_json()) == invocation
    assert "hooks.slack" not in repr(invocation)


@pytest.mark.parametrize(("actor_team", "is_external"), [("", True), ("T1", False), ("T2", True), ("E1", True)])
def test_whoever_belongs_elsewhere_is_external(actor_team: str, is_external: bool) -> None:
    assert Invocation(Kind.PAINT, "k", "T1", "C1", "U1", 1.0, actor_team=actor_team).is_external is is_external


def test_fields_of_a_later_revision_are_ignored() -> None:
    text = Invocation(Kind.REDO, "k", "T1", "C1", "U1", 1.0).to_json()
    assert Invocation.from_json(json.dumps({**json.loads(text), "mood": "blue"})).kind is Kind.REDO


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"version": 2}', '{"version": 1}', '{"version": 1, "kind": "fly"}', "\x00"]
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(MalformedInvocation):
        Invocation.from_json(text)


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_request_keys_fit_the_backend_and_tell_parts_apart(a: str, b: str) -> None:
    key = request_key("mention", a, b)
    SubmitJob(prompt="x", idempotency_key=key)
    assert len(key) <= 64 and key == request_key("mention", a, b)
    assert key != request_key("mention", a + b, "") or b == ""
