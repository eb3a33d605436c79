"""`/finetune`: everything into the queue, but for what is asked about first and for the form that takes a file."""

from __future__ import annotations

import re

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.actors import actor_team_of
from bot.listeners.admin import replace_original, tell_presser
from bot.listeners.deps import Body, ListenerDeps
from bot.listeners.forms import refresh_lists
from bot.origin import enterprise_of, team_of
from bot.slack_client import call
from commands.command import ConfirmRegistry
from commands.finetune import VERSIONED
from commands.grammar.lora_names import split_version
from commands.sentences import Trouble
from commands.sentences_access import unknown_team
from commands.views.action_ids import FINETUNE_CANCEL, FINETUNE_CONFIRM, FINETUNE_LOOK, IMPORT_FORM
from commands.views.blocks import Message
from commands.views.form import FormOrigin
from commands.views.import_form import FILE, import_form, read_import_form
from commands.views.lora_changes import delete_preview, kept


def shown_deletion(plan: ConfirmRegistry) -> Message:
    """The preview of a deletion with its buttons."""
    name, version = split_version(plan.instruction.values[VERSIONED.name])
    return delete_preview(name, version, plan.text)


def open_import_form(deps: ListenerDeps, client: WebClient, body: Body, name: str) -> None:
    """Open the form for whoever typed the command; raises `SlackRefused` and `SlackUnavailable`."""
    origin = FormOrigin(body["channel_id"], response_url=body.get("response_url"))
    call(client.views_open, trigger_id=body["trigger_id"], view=import_form(origin, name, deps.default_endpoint))
    refresh_lists(deps, body, body["user_id"], origin)


def register_finetune(app: App, deps: ListenerDeps) -> None:
    """Listen to the buttons below answers of `/finetune`, and to its form for files."""

    @app.action(FINETUNE_CONFIRM)
    def on_confirmed(ack: Ack, body: Body, client: WebClient) -> None:
        _enqueue_press(deps, body, client, Kind.FINETUNE_CONFIRMED)
        ack()

    @app.action(re.compile(f"^{FINETUNE_LOOK}_(previous|next)$"))
    def on_page(ack: Ack, body: Body, client: WebClient) -> None:
        _enqueue_press(deps, body, client, Kind.FINETUNE_PAGE)
        ack()

    @app.action(FINETUNE_CANCEL)
    def on_kept(ack: Ack, body: Body) -> None:
        replace_original(str(body.get("response_url") or ""), kept())
        ack()

    @app.view(IMPORT_FORM)
    def on_submitted(ack: Ack, body: Body) -> None:
        actor_team = actor_team_of(body)
        if actor_team is None:
            _refuse(ack, unknown_team())
            return
        order = read_import_form(body["view"]["state"]["values"], deps.default_endpoint)
        if isinstance(order, dict):
            ack(response_action="errors", errors=order)
            return
        origin = FormOrigin.from_metadata(body["view"]["private_metadata"])
        team = team_of(body)
        trouble = deps.enqueue(
            Invocation(
                kind=Kind.IMPORT_LORA,
                request_key=request_key("import", team, body["view"]["id"]),
                team=team,
                channel=origin.channel,
                member=body["user"]["id"],
                at=deps.clock.now(),
                response_url=origin.response_url,
                enterprise=enterprise_of(body),
                actor_team=actor_team,
                fields=vars(order),
            )
        )
        if trouble is None:
            ack()
        else:
            _refuse(ack, trouble)


def _enqueue_press(deps: ListenerDeps, body: Body, client: WebClient, kind: Kind) -> None:
    actor_team = actor_team_of(body)
    trouble: Trouble | None = unknown_team()
    if actor_team is not None:
        trouble = deps.enqueue(_pressed(deps, body, actor_team, kind))
    if trouble is not None:
        tell_presser(client, body, trouble)


def _pressed(deps: ListenerDeps, body: Body, actor_team: str, kind: Kind) -> Invocation:
    """What the button carries, to be done as whoever pressed it. Deleting twice is deleting once; pages are turned."""
    container, member, team = body["container"], body["user"]["id"], team_of(body)
    channel, message_ts = container["channel_id"], container["message_ts"]
    action = body["actions"][0]
    once = "" if kind is Kind.FINETUNE_CONFIRMED else action["action_ts"]
    return Invocation(
        kind=kind,
        request_key=request_key(kind.value, team, channel, message_ts, member, once),
        team=team,
        channel=channel,
        member=member,
        at=deps.clock.now(),
        message_ts=message_ts,
        response_url=body.get("response_url"),
        enterprise=enterprise_of(body),
        actor_team=actor_team,
        command=str(action.get("value") or ""),
    )


def _refuse(ack: Ack, trouble: Trouble) -> None:
    reference = f" Reference {trouble.reference}." if trouble.reference else ""
    ack(response_action="errors", errors={FILE: f"{trouble.sentence} {trouble.next_step}{reference}"})
