"""Buttons: into the queue, but for the one that opens a form. The worker decides who may press what."""

from __future__ import annotations

import re

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.actors import actor_team_of
from bot.listeners.admin import register_admin_buttons
from bot.listeners.deps import Body, ListenerDeps
from bot.listeners.finetune import register_finetune
from bot.listeners.forms import open_form
from bot.logs import log
from bot.origin import enterprise_of, team_of
from bot.places import message_key
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.slack_client import call
from commands.order import PaintOrder
from commands.sentences import Trouble, stale_button
from commands.sentences_access import unknown_team
from commands.views.action_ids import CANCEL, DELETE, EDIT, PICTURE, REDO, RETRY, picture_number
from commands.views.form import FormOrigin
from commands.views.trouble import trouble_message

KINDS = {REDO: Kind.REDO, RETRY: Kind.RETRY, DELETE: Kind.DELETE, CANCEL: Kind.CANCEL}


def register_buttons(app: App, deps: ListenerDeps) -> None:
    """Listen to every button, and acknowledge whatever else is clicked."""

    @app.action(re.compile(f"^({'|'.join([*KINDS, f'{PICTURE}[1-4]'])})$"))
    def on_pressed(ack: Ack, body: Body, client: WebClient) -> None:
        action = body["actions"][0]
        action_id = action["action_id"]
        actor_team = actor_team_of(body)
        trouble: Trouble | None = unknown_team()
        if actor_team is not None:
            number = picture_number(action_id) or 0
            trouble = deps.enqueue(_invocation(deps, body, actor_team, KINDS.get(action_id, Kind.PICTURE), number))
        if trouble is not None:
            _tell(client, body, trouble)
        ack()

    @app.action(EDIT)
    def on_edit(ack: Ack, body: Body, client: WebClient) -> None:
        trouble = unknown_team() if actor_team_of(body) is None else _edit(deps, body, client)
        if trouble is not None:
            _tell(client, body, trouble)
        ack()

    register_admin_buttons(app, deps)
    register_finetune(app, deps)

    @app.action(re.compile(".*"))
    def on_anything_else(ack: Ack) -> None:
        ack()


def _invocation(deps: ListenerDeps, body: Body, actor_team: str, kind: Kind, number: int) -> Invocation:
    team, channel, message_ts, thread_ts = _where(body)
    action, member = body["actions"][0], body["user"]["id"]
    return Invocation(
        kind=kind,
        request_key=request_key("press", team, channel, message_ts, action["action_id"], member, action["action_ts"]),
        team=team,
        channel=channel,
        member=member,
        at=deps.clock.now(),
        thread_ts=thread_ts,
        message_ts=message_ts,
        value=str(action.get("value") or ""),
        number=number,
        response_url=body.get("response_url"),
        enterprise=enterprise_of(body),
        actor_team=actor_team,
    )


def _edit(deps: ListenerDeps, body: Body, client: WebClient) -> Trouble | None:
    team, channel, message_ts, _ = _where(body)
    record = deps.store.get(message_key(team, channel, message_ts))
    facts = record.data if record is not None else {}
    if not facts.get("order") or facts.get("job_id") != body["actions"][0].get("value"):
        return stale_button()
    origin = FormOrigin(channel, facts.get("thread_ts") or message_ts, body.get("response_url"), team)
    order = PaintOrder.from_json(facts["order"])
    try:
        open_form(deps, client, body, body["user"]["id"], origin, order)
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("form not opened", extra={"code": str(error)})
        return Trouble("Slack did not open the form in time.", "Press Edit again.")
    return None


def _where(body: Body) -> tuple[str, str, str, str | None]:
    container = body["container"]
    thread_ts = container.get("thread_ts") or body.get("message", {}).get("thread_ts")
    return team_of(body), container["channel_id"], container["message_ts"], thread_ts


def _tell(client: WebClient, body: Body, trouble: Trouble) -> None:
    _, channel, _, thread_ts = _where(body)
    view = trouble_message(trouble)
    try:
        call(
            client.chat_postEphemeral,
            channel=channel,
            user=body["user"]["id"],
            thread_ts=thread_ts,
            text=view.text,
            blocks=list(view.blocks),
        )
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("could not tell", extra={"channel": channel, "code": str(error)})
