"""The form of trainings: opened at once, changed while it is filled in, submitted. Nothing slow: the worker looks."""

from __future__ import annotations

from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.actors import actor_team_of
from bot.listeners.deps import Body, ListenerDeps
from bot.logs import log
from bot.origin import enterprise_of, team_of
from bot.places import trainables_key
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.slack_client import call
from commands.sentences import Trouble
from commands.sentences_access import unknown_team
from commands.training_offers import Trainables
from commands.trouble import trouble_text
from commands.views.training_captions import read_captions
from commands.views.training_form import (
    MAX_FORM_PICTURES,
    TITLE,
    Filled,
    FormPlace,
    Kept,
    checking_view,
    loading_view,
    read_training_form,
    training_form,
    waiting_view,
    with_advanced,
    with_estimate,
    with_more_room,
)
from commands.views.training_ids import (
    CHANGE_FORM,
    ESTIMATED,
    MORE_PICTURES,
    SHOW_ADVANCED,
    TRAIN_SHORTCUT,
    TRAINING_FORM,
    TRAINING_REVIEW,
)

TRAINABLES_FRESH_SECONDS = 300
NOT_OPENED = "Slack did not open the form in time."


def register_training_forms(app: App, deps: ListenerDeps) -> None:
    """Listen to the shortcut, and to what comes from the form and its review."""

    @app.shortcut(TRAIN_SHORTCUT)
    def on_shortcut(ack: Ack, body: Body, client: WebClient) -> None:
        trouble = unknown_team() if actor_team_of(body) is None else _open_from_message(deps, client, body)
        if trouble is not None:
            tell_alone(client, body["channel"]["id"], body["message"].get("thread_ts"), body, trouble)
        ack()

    def on_changed(ack: Ack, body: Body, client: WebClient) -> None:
        change_form(deps, client, body)
        ack()

    for action_id in (*ESTIMATED, SHOW_ADVANCED, MORE_PICTURES):
        app.action(action_id)(on_changed)

    @app.view(TRAINING_FORM)
    def on_submitted(ack: Ack, body: Body) -> None:
        view, actor_team = body["view"], actor_team_of(body)
        if actor_team is None or not is_of(FormPlace.from_metadata(view["private_metadata"]), body):
            refuse(ack, body, unknown_team())
            return
        read = read_training_form(view)
        if not isinstance(read, Filled):
            ack(response_action="errors", errors=read)
            return
        sent = _submitted(deps, body, actor_team, Kind.TRAINING_PICTURES, read.place, read.to_json())
        _acknowledge(ack, body, deps.enqueue(sent), checking_view(read.place, 0, None))

    @app.view(TRAINING_REVIEW)
    def on_reviewed(ack: Ack, body: Body) -> None:
        view, actor_team = body["view"], actor_team_of(body)
        place = FormPlace.from_metadata(view["private_metadata"])
        if actor_team is None or not is_of(place, body):
            refuse(ack, body, unknown_team())
            return
        said = {"place": place.to_metadata(), "captions": read_captions(view["state"]["values"])}
        sent = _submitted(deps, body, actor_team, Kind.TRAINING_ASK, place, said)
        _acknowledge(ack, body, deps.enqueue(sent), waiting_view(TITLE, "Asking for approval …", place))

    @app.action(CHANGE_FORM)
    def on_change(ack: Ack, body: Body, client: WebClient) -> None:
        view, actor_team = body["view"], actor_team_of(body)
        place = FormPlace.from_metadata(view["private_metadata"])
        if actor_team is not None and is_of(place, body):
            said = {
                "place": place.to_metadata(),
                "captions": read_captions(view["state"]["values"]),
                "is_known": True,
                "is_change": True,
            }
            _update(client, view, loading_view(place))
            deps.enqueue(_submitted(deps, body, actor_team, Kind.TRAINING_FORM, place, said))
        ack()


def open_from_command(deps: ListenerDeps, client: WebClient, body: Body) -> Trouble | None:
    """Open the form for whoever typed `/finetune`; what went wrong, if it did."""
    key = request_key("training", team_of(body), body["trigger_id"])
    place = FormPlace(key, body["channel_id"], response_url=body.get("response_url"), team=team_of(body))
    return open_training_form(deps, client, body, body["user_id"], place, "Type `/finetune` again.")


def open_training_form(
    deps: ListenerDeps, client: WebClient, body: Body, member: str, place: FormPlace, next_step: str
) -> Trouble | None:
    """Open the form from the list of what can be trained; where none is known, a view that the worker fills."""
    team, trigger_id = team_of(body), body["trigger_id"]
    listed = _listed(deps, team)
    view = training_form(place, listed, deps.default_endpoint) if listed.endpoints else loading_view(place)
    try:
        opened = call(client.views_open, trigger_id=trigger_id, view=view)
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("form not opened", extra={"code": str(error)})
        return Trouble(NOT_OPENED, next_step)
    if listed.endpoints and deps.clock.now() - listed.listed_at <= TRAINABLES_FRESH_SECONDS:
        return None
    kind = Kind.REFRESH_TRAINABLES if listed.endpoints else Kind.TRAINING_FORM
    invocation = Invocation(
        kind=kind,
        request_key=request_key("training-form", team, trigger_id),
        team=team,
        channel=place.channel,
        member=member,
        at=deps.clock.now(),
        enterprise=enterprise_of(body),
        actor_team=actor_team_of(body) or "",
        view_id=str((opened.get("view") or {}).get("id") or ""),
        training={"place": place.to_metadata()},
    )
    trouble = deps.enqueue(invocation)
    # The form that is open already works with the old list.
    return None if kind is Kind.REFRESH_TRAINABLES else trouble


def change_form(deps: ListenerDeps, client: WebClient, body: Body) -> None:
    """Show the form as it is after a press or a choice in it; the next one makes up for what failed."""
    view, action_id = body["view"], body["actions"][0]["action_id"]
    if action_id == MORE_PICTURES:
        changed = with_more_room(view)
    else:
        change = with_advanced if action_id == SHOW_ADVANCED else with_estimate
        changed = change(view, _listed(deps, team_of(body)))
    _update(client, view, changed)


def is_of(place: FormPlace, body: Body) -> bool:
    """Whether a form was opened in the workspace that it comes back from."""
    return place.team in {"", team_of(body)}


def first_input(body: Body) -> str:
    """The block that an error about the whole form stands at."""
    view = body.get("view")
    blocks = view.get("blocks") if isinstance(view, dict) else None
    for block in blocks if isinstance(blocks, list) else []:
        if isinstance(block, dict) and block.get("type") == "input":
            return str(block.get("block_id"))
    return "prompt"


def refuse(ack: Ack, body: Body, trouble: Trouble) -> None:
    """Keep the form open, with what is wrong at its first field."""
    ack(response_action="errors", errors={first_input(body): trouble_text(trouble)})


def tell_alone(client: WebClient, channel: str, thread_ts: str | None, body: Body, trouble: Trouble) -> None:
    """Tell whoever pressed, in the channel."""
    text = trouble_text(trouble)
    try:
        call(client.chat_postEphemeral, channel=channel, user=body["user"]["id"], thread_ts=thread_ts, text=text)
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("could not tell", extra={"channel": channel, "code": str(error)})


def _open_from_message(deps: ListenerDeps, client: WebClient, body: Body) -> Trouble | None:
    message, channel = body["message"], body["channel"]["id"]
    root = message.get("thread_ts") or message["ts"]
    place = FormPlace(
        key=request_key("training", team_of(body), body["trigger_id"]),
        channel=channel,
        thread_ts=root,
        response_url=body.get("response_url"),
        source_ts=root,
        pictures=_pictures(message),
        team=team_of(body),
    )
    next_step = "Use the shortcut again."
    return open_training_form(deps, client, body, body["user"]["id"], place, next_step)


def _pictures(message: dict[str, Any]) -> tuple[Kept, ...]:
    """The message's files that are pictures, or whose kind Slack does not know yet."""
    found = [
        Kept(file["id"], str(file.get("name") or "picture"))
        for file in message.get("files") or []
        if isinstance(file, dict)
        and isinstance(file.get("id"), str)
        and str(file.get("mimetype") or "image/").startswith("image/")
        and file.get("mode") != "tombstone"
    ]
    return tuple(found[:MAX_FORM_PICTURES])


def _submitted(
    deps: ListenerDeps, body: Body, actor_team: str, kind: Kind, place: FormPlace, said: dict[str, Any]
) -> Invocation:
    """What a view asks of the worker. The same view in the same state is the same request."""
    view, team = body["view"], team_of(body)
    return Invocation(
        kind=kind,
        request_key=request_key(kind.value.replace("_", "-"), team, view["id"], str(view.get("hash"))),
        team=team,
        channel=place.channel,
        member=body["user"]["id"],
        at=deps.clock.now(),
        thread_ts=place.thread_ts,
        response_url=place.response_url,
        enterprise=enterprise_of(body),
        actor_team=actor_team,
        view_id=view["id"],
        training=said,
    )


def _acknowledge(ack: Ack, body: Body, trouble: Trouble | None, view: dict[str, Any]) -> None:
    if trouble is None:
        ack(response_action="update", view=view)
    else:
        refuse(ack, body, trouble)


def _update(client: WebClient, view: dict[str, Any], changed: dict[str, Any]) -> None:
    try:
        call(client.views_update, view_id=view["id"], hash=view["hash"], view=changed)
    except (SlackRefused, SlackUnavailable) as error:
        log.info("form not changed", extra={"code": str(error)})


def _listed(deps: ListenerDeps, team: str) -> Trainables:
    record = deps.store.get(trainables_key(team))
    return Trainables.from_json(record.data) if record is not None else Trainables()
