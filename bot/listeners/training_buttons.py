"""Buttons of trainings below messages: into the queue, but for those that open a form."""

from __future__ import annotations

import json
from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.actors import actor_team_of
from bot.listeners.deps import Body, ListenerDeps
from bot.listeners.forms import open_form
from bot.listeners.training_forms import NOT_OPENED, is_of, refuse, tell_alone
from bot.logs import log
from bot.origin import enterprise_of, team_of
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.slack_client import call
from commands.order import PaintOrder
from commands.sentences import Trouble, stale_button
from commands.sentences_access import unknown_team
from commands.views.form import FormOrigin
from commands.views.training_denial import denial_form, read_reason
from commands.views.training_form import FormPlace, loading_view
from commands.views.training_ids import (
    APPROVE_TRAINING,
    CANCEL_TRAINING,
    DENY_TRAINING,
    GO_ON,
    SELF_APPROVE_TRAINING,
    TRAINING_DENIAL,
    TRY_LORA,
)

KINDS = {
    APPROVE_TRAINING: Kind.TRAINING_APPROVE,
    SELF_APPROVE_TRAINING: Kind.TRAINING_SELF_APPROVE,
    CANCEL_TRAINING: Kind.TRAINING_CANCEL,
}


def register_training_buttons(app: App, deps: ListenerDeps) -> None:
    """Listen to the buttons, and to the form that asks why a training is denied."""

    def on_pressed(ack: Ack, body: Body, client: WebClient) -> None:
        trouble: Trouble | None = unknown_team()
        actor_team = actor_team_of(body)
        if actor_team is not None:
            trouble = deps.enqueue(_pressed(deps, body, actor_team))
        _tell(client, body, trouble)
        ack()

    for action_id in KINDS:
        app.action(action_id)(on_pressed)

    @app.action(DENY_TRAINING)
    def on_deny(ack: Ack, body: Body, client: WebClient) -> None:
        _tell(client, body, unknown_team() if actor_team_of(body) is None else _open_denial(body, client))
        ack()

    @app.action(GO_ON)
    def on_go_on(ack: Ack, body: Body, client: WebClient) -> None:
        actor_team = actor_team_of(body)
        _tell(client, body, unknown_team() if actor_team is None else _go_on(deps, body, client, actor_team))
        ack()

    @app.action(TRY_LORA)
    def on_try(ack: Ack, body: Body, client: WebClient) -> None:
        _tell(client, body, unknown_team() if actor_team_of(body) is None else _try(deps, body, client))
        ack()

    @app.view(TRAINING_DENIAL)
    def on_denied(ack: Ack, body: Body) -> None:
        place, actor_team = FormPlace.from_metadata(body["view"]["private_metadata"]), actor_team_of(body)
        trouble: Trouble | None = unknown_team()
        if actor_team is not None and is_of(place, body):
            trouble = deps.enqueue(_denied(deps, body, actor_team, place))
        if trouble is None:
            ack()
        else:
            refuse(ack, body, trouble)


def _pressed(deps: ListenerDeps, body: Body, actor_team: str) -> Invocation:
    team, (channel, message_ts, thread_ts) = team_of(body), _where(body)
    action, member = body["actions"][0], body["user"]["id"]
    return Invocation(
        kind=KINDS[action["action_id"]],
        request_key=request_key("press", team, channel, message_ts, action["action_id"], member, action["action_ts"]),
        team=team,
        channel=channel,
        member=member,
        at=deps.clock.now(),
        thread_ts=thread_ts,
        message_ts=message_ts,
        value=_value(body),
        response_url=body.get("response_url"),
        enterprise=enterprise_of(body),
        actor_team=actor_team,
    )


def _denied(deps: ListenerDeps, body: Body, actor_team: str, place: FormPlace) -> Invocation:
    team, view = team_of(body), body["view"]
    return Invocation(
        kind=Kind.TRAINING_DENY,
        request_key=request_key("deny", team, view["id"]),
        team=team,
        channel=place.channel,
        member=body["user"]["id"],
        at=deps.clock.now(),
        thread_ts=place.thread_ts,
        message_ts=place.source_ts,
        value=place.key,
        response_url=place.response_url,
        enterprise=enterprise_of(body),
        actor_team=actor_team,
        training={"reason": read_reason(view["state"]["values"])},
    )


def _open_denial(body: Body, client: WebClient) -> Trouble | None:
    channel, message_ts, thread_ts = _where(body)
    url, team = body.get("response_url"), team_of(body)
    place = FormPlace(_value(body), channel, thread_ts, url, source_ts=message_ts, team=team)
    return _open(client, body, denial_form(place), "Press Deny again.")


def _go_on(deps: ListenerDeps, body: Body, client: WebClient, actor_team: str) -> Trouble | None:
    """Open a modal that the worker fills with the form as it was left."""
    channel, _, _ = _where(body)
    place = FormPlace(_value(body), channel, response_url=body.get("response_url"), team=team_of(body))
    try:
        opened = call(client.views_open, trigger_id=body["trigger_id"], view=loading_view(place))
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("form not opened", extra={"code": str(error)})
        return Trouble(NOT_OPENED, "Press the button again.")
    team = team_of(body)
    return deps.enqueue(
        Invocation(
            kind=Kind.TRAINING_FORM,
            request_key=request_key("training-form", team, body["trigger_id"]),
            team=team,
            channel=channel,
            member=body["user"]["id"],
            at=deps.clock.now(),
            response_url=body.get("response_url"),
            enterprise=enterprise_of(body),
            actor_team=actor_team,
            view_id=str((opened.get("view") or {}).get("id") or ""),
            training={"place": place.to_metadata(), "is_known": True},
        )
    )


def _try(deps: ListenerDeps, body: Body, client: WebClient) -> Trouble | None:
    """Open the painting form with words that call the LoRA."""
    channel, message_ts, thread_ts = _where(body)
    try:
        order = PaintOrder.from_json(json.loads(_value(body)))
    except (ValueError, KeyError, TypeError):
        return stale_button()
    origin = FormOrigin(channel, thread_ts or message_ts, body.get("response_url"), team_of(body))
    try:
        open_form(deps, client, body, body["user"]["id"], origin, order)
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("form not opened", extra={"code": str(error)})
        return Trouble(NOT_OPENED, "Press Try it again.")
    return None


def _open(client: WebClient, body: Body, view: dict[str, Any], next_step: str) -> Trouble | None:
    try:
        call(client.views_open, trigger_id=body["trigger_id"], view=view)
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("form not opened", extra={"code": str(error)})
        return Trouble(NOT_OPENED, next_step)
    return None


def _value(body: Body) -> str:
    return str(body["actions"][0].get("value") or "")


def _where(body: Body) -> tuple[str, str, str | None]:
    container = body["container"]
    thread_ts = container.get("thread_ts") or body.get("message", {}).get("thread_ts")
    return container["channel_id"], container["message_ts"], thread_ts


def _tell(client: WebClient, body: Body, trouble: Trouble | None) -> None:
    if trouble is not None:
        channel, _, thread_ts = _where(body)
        tell_alone(client, channel, thread_ts, body, trouble)
