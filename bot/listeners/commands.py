"""Slash commands."""

from __future__ import annotations

from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.actors import actor_team_of
from bot.listeners.admin import asked, shown_change
from bot.listeners.deps import Body, ListenerDeps
from bot.listeners.finetune import open_import_form, shown_deletion
from bot.listeners.forms import open_form
from bot.listeners.training_forms import open_from_command
from bot.logs import log
from bot.origin import enterprise_of, team_of
from bot.ports.slack import SlackRefused, SlackUnavailable
from commands.command import (
    Change,
    Command,
    ConfirmRegistry,
    Look,
    ManageRegistry,
    OpenForm,
    OpenImportForm,
    OpenTrainingForm,
    Paint,
    Refuse,
    ShowHelp,
    ShowLimits,
)
from commands.registry import COMMANDS
from commands.sentences import Trouble, mistakes_text
from commands.views.blocks import Message, message, section
from commands.views.form import FormOrigin
from commands.views.help import help_message
from commands.views.trouble import trouble_message


def register_commands(app: App, deps: ListenerDeps) -> None:
    """Listen to every command of the registry."""
    for command in COMMANDS:
        app.command(command.name)(_listener(command, deps))


def _listener(command: Command, deps: ListenerDeps) -> Any:
    def on_command(ack: Ack, body: Body, client: WebClient) -> None:
        plan = command.plan(str(body.get("text") or ""))
        match plan:
            case ShowHelp():
                _answer(ack, help_message(command))
            case Refuse(mistakes):
                text = mistakes_text(mistakes)
                _answer(ack, message(text, [section(text)]))
            case OpenForm():
                _open(ack, body, client, deps)
            case OpenTrainingForm():
                trouble = open_from_command(deps, client, body)
                if trouble is None:
                    ack()
                else:
                    _answer(ack, trouble_message(trouble))
            case Change(instruction):
                _answer(ack, shown_change(deps, body, instruction))
            case Look(text):
                _enqueue(ack, deps, asked(deps, body, Kind.ADMIN, text))
            case ManageRegistry(text):
                _enqueue(ack, deps, asked(deps, body, Kind.FINETUNE, text))
            case ConfirmRegistry():
                _answer(ack, shown_deletion(plan))
            case OpenImportForm(name):
                _open_import(ack, body, client, deps, name)
            case ShowLimits():
                _enqueue(ack, deps, asked(deps, body, Kind.LIMITS))
            case Paint(order):
                team = team_of(body)
                invocation = Invocation(
                    kind=Kind.PAINT,
                    request_key=request_key("command", team, body["trigger_id"]),
                    team=team,
                    channel=body["channel_id"],
                    member=body["user_id"],
                    at=deps.clock.now(),
                    order=order.to_json(),
                    response_url=body.get("response_url"),
                    enterprise=enterprise_of(body),
                    actor_team=actor_team_of(body) or "",
                )
                _enqueue(ack, deps, invocation)

    return on_command


def _open(ack: Ack, body: Body, client: WebClient, deps: ListenerDeps) -> None:
    origin = FormOrigin(body["channel_id"], response_url=body.get("response_url"), team=team_of(body))
    try:
        open_form(deps, client, body, body["user_id"], origin, None)
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("form not opened", extra={"code": str(error)})
        _answer(ack, trouble_message(Trouble("Slack did not open the form in time.", "Type `/imagine` again.")))
        return
    ack()


def _open_import(ack: Ack, body: Body, client: WebClient, deps: ListenerDeps, name: str) -> None:
    try:
        open_import_form(deps, client, body, name)
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("form not opened", extra={"code": str(error)})
        _answer(ack, trouble_message(Trouble("Slack did not open the form in time.", "Type the command again.")))
        return
    ack()


def _enqueue(ack: Ack, deps: ListenerDeps, invocation: Invocation) -> None:
    trouble = deps.enqueue(invocation)
    if trouble is None:
        ack()
    else:
        _answer(ack, trouble_message(trouble))


def _answer(ack: Ack, view: Message) -> None:
    ack(text=view.text, blocks=list(view.blocks), response_type="ephemeral")
