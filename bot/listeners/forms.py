"""The form: opened, filled in with help, submitted. Its checks are pure, so that mistakes stand beside the fields."""

from __future__ import annotations

from typing import Any

from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.actors import actor_team_of
from bot.listeners.deps import Body, ListenerDeps
from bot.origin import enterprise_of, team_of
from bot.places import loras_key, models_key
from bot.ports.records import Json
from bot.slack_client import call
from commands.order import PaintOrder
from commands.sentences import Trouble
from commands.sentences_access import unknown_team
from commands.views.action_ids import IMAGINE_FORM, LORA_SELECT, MODEL_SELECT
from commands.views.form import PROMPT, FormOrigin, imagine_form, model_options, read_form
from commands.views.form_loras import lora_options

MODELS_FRESH_SECONDS = 300
LORAS_FRESH_SECONDS = 30


def register_forms(app: App, deps: ListenerDeps) -> None:
    """Listen to what comes from the form."""

    @app.options(MODEL_SELECT)
    def on_model_typed(ack: Ack, body: Body) -> None:
        listed = _listed_models(deps, team_of(body))
        models = listed["models"] if listed is not None else []
        names = [(model["name"], model["title"]) for model in models] or [(deps.default_endpoint, "")]
        ack(**model_options(names, str(body.get("value") or "")))

    @app.options(LORA_SELECT)
    def on_lora_typed(ack: Ack, body: Body) -> None:
        # Not everybody may use every LoRA, nor everywhere: the list is this member's in this channel.
        view = body.get("view") or {}
        try:
            channel = FormOrigin.from_metadata(view.get("private_metadata") or "").channel
        except (KeyError, ValueError, TypeError):
            channel = ""
        record = deps.store.get(loras_key(team_of(body), channel, body["user"]["id"]))
        ack(**lora_options(record.data["loras"] if record is not None else [], str(body.get("value") or "")))

    @app.view(IMAGINE_FORM)
    def on_submitted(ack: Ack, body: Body) -> None:
        view = body["view"]
        actor_team, team = actor_team_of(body), team_of(body)
        origin = FormOrigin.from_metadata(view["private_metadata"])
        if actor_team is None or origin.team not in {"", team}:
            _refuse(ack, unknown_team())
            return
        read = read_form(view["state"]["values"])
        if isinstance(read, dict):
            ack(response_action="errors", errors=read)
            return
        invocation = Invocation(
            kind=Kind.PAINT,
            request_key=request_key("form", team, view["id"]),
            team=team,
            channel=origin.channel,
            member=body["user"]["id"],
            at=deps.clock.now(),
            thread_ts=origin.thread_ts,
            order=read.to_json(),
            response_url=origin.response_url,
            enterprise=enterprise_of(body),
            actor_team=actor_team,
        )
        trouble = deps.enqueue(invocation)
        if trouble is None:
            ack()
        else:
            _refuse(ack, trouble)


def open_form(
    deps: ListenerDeps,
    client: WebClient,
    body: Body,
    member: str,
    origin: FormOrigin,
    order: PaintOrder | None,
) -> None:
    """Open the form with `order` in it for whoever sent `body`; raises `SlackRefused` and `SlackUnavailable`."""
    view: dict[str, Any] = imagine_form(origin, order, deps.default_endpoint)
    call(client.views_open, trigger_id=body["trigger_id"], view=view)
    refresh_lists(deps, body, member, origin)


def refresh_lists(deps: ListenerDeps, body: Body, member: str, origin: FormOrigin) -> None:
    """Have old lists of models and LoRAs listed anew: until someone unfolds a select, the worker has had the time."""
    team, now = team_of(body), deps.clock.now()
    models, loras = _listed_models(deps, team), deps.store.get(loras_key(team, origin.channel, member))
    are_models_old = models is None or now - models["listed_at"] > MODELS_FRESH_SECONDS
    if are_models_old or loras is None or now - loras.data["listed_at"] > LORAS_FRESH_SECONDS:
        deps.enqueue(
            Invocation(
                Kind.REFRESH_MODELS,
                request_key("models", team, body["trigger_id"]),
                team,
                origin.channel,
                member,
                now,
                enterprise=enterprise_of(body),
                actor_team=actor_team_of(body) or "",
            )
        )


def _listed_models(deps: ListenerDeps, team: str) -> Json | None:
    record = deps.store.get(models_key(team))
    return record.data if record is not None else None


def _refuse(ack: Ack, trouble: Trouble) -> None:
    reference = f" Reference {trouble.reference}." if trouble.reference else ""
    ack(response_action="errors", errors={PROMPT: f"{trouble.sentence} {trouble.next_step}{reference}"})
