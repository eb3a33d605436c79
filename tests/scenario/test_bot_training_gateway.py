"""Presses, shortcuts and forms of trainings as nobody's client would send them: nothing crashes, nothing is queued."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.invocation import Kind
from commands.training_offers import Trainable, Trainables
from commands.views.training_form import FormPlace, training_form
from commands.views.training_ids import (
    APPROVE_TRAINING,
    CANCEL_TRAINING,
    CHANGE_FORM,
    DENY_TRAINING,
    GO_ON,
    MORE_PICTURES,
    PRESET_SELECT,
    SELF_APPROVE_TRAINING,
    SHOW_ADVANCED,
    TRAIN_SHORTCUT,
    TRAINING_DENIAL,
    TRAINING_FORM,
    TRAINING_REVIEW,
    TRY_LORA,
)
from tests.fakes.bot_trainings import OFFER
from tests.scenario.test_bot_gateway import JSON_VALUES, Gateway, _pressed

PEOPLE = {"team": {"id": "T1"}, "user": {"id": "U1", "team_id": "T1"}}
LISTED = Trainables([Trainable("tiny", "Tiny", "tiny-world", OFFER.model_dump(mode="json"))], "C9", 0.0)


@pytest.fixture(scope="module")
def shared() -> Gateway:
    return Gateway()


@pytest.fixture
def gateway(shared: Gateway) -> Gateway:
    shared.queue.sent.clear()
    shared.queue.is_down = False
    return shared


def _send(gateway: Gateway, payload: dict[str, Any]) -> dict[str, Any]:
    return gateway.send(urlencode({"payload": json.dumps(payload)}))


def _view(callback_id: str = TRAINING_FORM, **facts: Any) -> dict[str, Any]:
    form = training_form(FormPlace("training-1", "C1"), LISTED, "tiny")
    metadata = form["private_metadata"]
    blocks = [{"block_id": f"b{n}", **block} for n, block in enumerate(form["blocks"])]
    state = {"name": {"value": {"type": "plain_text_input", "value": "mascot"}}}
    values = {"trigger": "zblx", "what": "mug"}
    state |= {key: {"value": {"type": "plain_text_input", "value": value}} for key, value in values.items()}
    files = [{"id": f"F{number}", "name": "a.png", "size": 9} for number in range(3)]
    state["pictures-0-0"] = {"value": {"type": "file_input", "files": files}}  # type: ignore[dict-item]
    sent = {"id": "V1", "hash": "1.a", "callback_id": callback_id, "private_metadata": metadata, "blocks": blocks}
    return {**form, **sent, "state": {"values": state}, **facts}


def _submitted(callback_id: str = TRAINING_FORM, **facts: Any) -> dict[str, Any]:
    return {"type": "view_submission", **PEOPLE, "view": _view(callback_id), **facts}


def _changed(action_id: str, **facts: Any) -> dict[str, Any]:
    action = {"action_id": action_id, "block_id": "b", "action_ts": "2.1", "type": "button", "value": "x"}
    return {"type": "block_actions", **PEOPLE, "view": _view(), "trigger_id": "1.2.x", "actions": [action], **facts}


def _shortcut(**facts: Any) -> dict[str, Any]:
    return {
        "type": "message_action",
        **PEOPLE,
        "callback_id": TRAIN_SHORTCUT,
        "trigger_id": "1.2.x",
        "channel": {"id": "C1"},
        "message": {"ts": "1.1", "files": [{"id": "F1", "name": "a.png", "mimetype": "image/png"}]},
        **facts,
    }


def test_a_submitted_form_is_queued_once_for_each_state_of_it(gateway: Gateway) -> None:
    for view_hash in ("1.a", "1.a", "1.b"):
        answer = _send(gateway, {**_submitted(), "view": {**_view(), "hash": view_hash}})
        assert json.loads(answer["body"])["response_action"] == "update"
    first, second, third = gateway.queue.sent
    assert first.kind is Kind.TRAINING_PICTURES and first.view_id == "V1" and first.member == "U1"
    assert first.request_key == second.request_key != third.request_key
    assert first.training["added"] == [["F0", "a.png"], ["F1", "a.png"], ["F2", "a.png"]]


@pytest.mark.parametrize(
    ("action_id", "kind"),
    [
        (APPROVE_TRAINING, Kind.TRAINING_APPROVE),
        (SELF_APPROVE_TRAINING, Kind.TRAINING_SELF_APPROVE),
        (CANCEL_TRAINING, Kind.TRAINING_CANCEL),
    ],
)
def test_a_press_carries_who_where_and_which(gateway: Gateway, action_id: str, kind: Kind) -> None:
    action = {"action_id": action_id, "block_id": "b", "value": "trn-1", "action_ts": "2.1", "type": "button"}
    for _ in range(2):
        assert _send(gateway, _pressed(actions=[action]))["statusCode"] == 200
    first, second = gateway.queue.sent
    assert first.request_key == second.request_key and first.kind is kind
    assert (first.member, first.message_ts, first.value) == ("U1", "1.1", "trn-1")


@pytest.mark.parametrize("user", [{"id": "U9"}, {"id": "U9", "team_id": None}, {"id": "U9", "team_id": "E9"}])
def test_whoever_is_unknown_starts_nothing(gateway: Gateway, user: dict[str, Any]) -> None:
    ids = (APPROVE_TRAINING, DENY_TRAINING, SELF_APPROVE_TRAINING, CANCEL_TRAINING, GO_ON, TRY_LORA)
    actions = [{"block_id": "b", "value": "{}", "action_ts": "2.1", "type": "button", "action_id": one} for one in ids]
    payloads = [_pressed(actions=[action], user=user) for action in actions]
    payloads += [_submitted(one, user=user) for one in (TRAINING_FORM, TRAINING_REVIEW, TRAINING_DENIAL)]
    payloads += [_shortcut(user=user), _changed(CHANGE_FORM, user=user)]
    for payload in payloads:
        assert _send(gateway, payload)["statusCode"] == 200
    assert gateway.queue.sent == []


def test_somebody_of_another_company_is_told_apart(gateway: Gateway) -> None:
    assert _send(gateway, _submitted(user={"id": "U9", "team_id": "T9"}))["statusCode"] == 200
    [invocation] = gateway.queue.sent
    assert invocation.is_external


def test_a_form_says_which_workspace_it_was_opened_in(gateway: Gateway) -> None:
    place = FormPlace("training-1", "C1", team="T1").to_metadata()
    for callback_id in (TRAINING_FORM, TRAINING_REVIEW, TRAINING_DENIAL):
        # An organisation's installation: Slack names no workspace, and the member's own is no proof.
        body = _submitted(callback_id, team=None, enterprise={"id": "E1"}, user={"id": "U1", "team_id": "T9"})
        body["view"]["private_metadata"] = place
        assert _send(gateway, body)["statusCode"] == 200
        [invocation] = gateway.queue.sent
        assert (invocation.team, invocation.actor_team, invocation.is_external) == ("T1", "T9", True)
        gateway.queue.sent.clear()
        assert _send(gateway, {**body, "team": {"id": "T2"}})["statusCode"] == 200
        assert gateway.queue.sent == [], "another workspace's form"


@pytest.mark.parametrize(
    "payload",
    [
        _shortcut(message={}),
        _shortcut(message={"ts": "1.1", "files": "x"}),
        _shortcut(channel=None),
        _shortcut(trigger_id=""),
        _changed(SHOW_ADVANCED, view={}),
        _changed(SHOW_ADVANCED, view={**_view(), "blocks": [1]}),
        _changed(MORE_PICTURES, view={**_view(), "hash": None}),
        # What belongs below messages, pressed in a view.
        _changed(APPROVE_TRAINING),
        _changed(GO_ON),
    ],
)
def test_what_slack_would_never_send_is_400(gateway: Gateway, payload: dict[str, Any]) -> None:
    assert _send(gateway, payload)["statusCode"] == 400
    assert gateway.queue.sent == []


def test_a_failure_in_a_form_is_told_at_its_first_field(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(invocation: object) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(gateway.queue, "send", fail)
    body = json.loads(_send(gateway, _submitted())["body"])
    assert list(body["errors"]) == ["name"] and "Reference" in body["errors"]["name"] and "hunter2" not in str(body)


BASES = st.sampled_from(
    [
        _submitted(),
        _submitted(TRAINING_REVIEW),
        _submitted(TRAINING_DENIAL),
        _changed(PRESET_SELECT),
        _changed(SHOW_ADVANCED),
        _changed(MORE_PICTURES),
        _changed(CHANGE_FORM),
        _shortcut(),
    ]
)


@settings(max_examples=150, deadline=None)
@given(base=BASES, path=st.lists(st.integers(0, 9), min_size=1, max_size=5), value=JSON_VALUES)
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
    answer = _send(shared, document)
    # A form's own data may be spoilt: that is told in the form, or by Slack's sign beside the button.
    assert answer["statusCode"] in {200, 400, 404, 500}
    assert "Traceback" not in str(answer["body"])
