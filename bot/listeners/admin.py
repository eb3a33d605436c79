"""`/imagine-admin`: questions go into the queue; changes are shown first, and go there when Confirm is pressed."""

from __future__ import annotations

from datetime import UTC, datetime

from slack_bolt import Ack, App
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.actors import actor_team_of
from bot.listeners.deps import Body, ListenerDeps
from bot.logs import log
from bot.origin import enterprise_of, team_of
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.slack_client import call
from commands.admin.settle import settle
from commands.grammar.subcommands import Instruction
from commands.sentences import Trouble, mistakes_text
from commands.sentences_access import unknown_team
from commands.views.action_ids import ADMIN_CANCEL, ADMIN_CONFIRM
from commands.views.admin_change import preview, withdrawn
from commands.views.blocks import Message, message, section
from commands.views.trouble import trouble_message

RESPONSE_SECONDS = 2
"""Slack waits three for everything together."""


def shown_change(deps: ListenerDeps, body: Body, instruction: Instruction) -> Message:
    """The preview of a change with its buttons, or what is wrong with it."""
    settled = settle(instruction, datetime.fromtimestamp(deps.clock.now(), UTC), team_of(body))
    if isinstance(settled, tuple):
        text = mistakes_text(settled)
        return message(text, [section(text)])
    return preview(settled, team_of(body))


def asked(deps: ListenerDeps, body: Body, kind: Kind, command: str = "") -> Invocation:
    """What a slash command asks of the worker, as whoever typed it."""
    team = team_of(body)
    return Invocation(
        kind=kind,
        request_key=request_key("command", team, body["trigger_id"]),
        team=team,
        channel=body["channel_id"],
        member=body["user_id"],
        at=deps.clock.now(),
        response_url=body.get("response_url"),
        enterprise=enterprise_of(body),
        actor_team=actor_team_of(body) or "",
        command=command,
    )


def register_admin_buttons(app: App, deps: ListenerDeps) -> None:
    """Listen to Confirm and Cancel below a preview."""

    @app.action(ADMIN_CONFIRM)
    def on_confirmed(ack: Ack, body: Body, client: WebClient) -> None:
        actor_team = actor_team_of(body)
        trouble: Trouble | None = unknown_team()
        if actor_team is not None:
            trouble = deps.enqueue(_confirmed(deps, body, actor_team))
        if trouble is not None:
            tell_presser(client, body, trouble)
        ack()

    @app.action(ADMIN_CANCEL)
    def on_cancelled(ack: Ack, body: Body) -> None:
        replace_original(str(body.get("response_url") or ""), withdrawn())
        ack()


def _confirmed(deps: ListenerDeps, body: Body, actor_team: str) -> Invocation:
    """The change behind the button, to be made as whoever pressed it. Pressing twice is pressing once."""
    container, member, team = body["container"], body["user"]["id"], team_of(body)
    channel, message_ts = container["channel_id"], container["message_ts"]
    return Invocation(
        kind=Kind.ADMIN_CONFIRMED,
        request_key=request_key("confirm", team, channel, message_ts, member),
        team=team,
        channel=channel,
        member=member,
        at=deps.clock.now(),
        message_ts=message_ts,
        response_url=body.get("response_url"),
        enterprise=enterprise_of(body),
        actor_team=actor_team,
        command=str(body["actions"][0].get("value") or ""),
    )


def replace_original(response_url: str, view: Message) -> None:
    """Put `view` in place of the message whose button was pressed; where that fails, nothing has changed either."""
    if not response_url:
        return
    try:
        WebhookClient(response_url, timeout=RESPONSE_SECONDS, retry_handlers=[]).send(
            text=view.text, blocks=list(view.blocks), replace_original=True
        )
    except Exception as error:  # the SDK passes on whatever urllib raises
        log.info("preview not replaced", extra={"problem": type(error).__name__})


def tell_presser(client: WebClient, body: Body, trouble: Trouble) -> None:
    """Say it to whoever pressed a button, beside the button's message."""
    container, view = body["container"], trouble_message(trouble)
    try:
        call(
            client.chat_postEphemeral,
            channel=container["channel_id"],
            user=body["user"]["id"],
            text=view.text,
            blocks=list(view.blocks),
        )
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("could not tell", extra={"channel": container["channel_id"], "code": str(error)})
