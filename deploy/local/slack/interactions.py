"""Buttons, selects, shortcuts and type-ahead: the payloads, and what became of them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from deploy.local.slack.blocks.checker import BlockChecker
from deploy.local.slack.blocks.elements import MAX_OPTIONS, check_options
from deploy.local.slack.entities import Channel, Ephemeral, Json, Member, Message, View
from deploy.local.slack.errors import SlackError
from deploy.local.slack.input_values import InputError, read_input, stateful_elements, view_state
from deploy.local.slack.logbook import Delivery
from deploy.local.slack.messages import find_ephemeral
from deploy.local.slack.workspace import Workspace


@dataclass
class Place:
    """Where a member pressed or chose something: a message, an ephemeral message, or a view."""

    blocks: list[Json]
    channel: Channel | None = None
    message: Message | None = None
    ephemeral: Ephemeral | None = None
    view: View | None = None


def find_place(workspace: Workspace, member: Member, request: Json) -> Place:
    """The place that a request names by `view_id`, or by `channel` and `ts`; raises `SlackError`."""
    if request.get("view_id"):
        views = [*workspace.modals.get(member.id, []), workspace.homes.get(member.id)]
        for view in views:
            if view is not None and view.id == request["view_id"]:
                return Place(view.payload["blocks"], view=view)
        raise SlackError("view_not_found")
    channel = workspace.channel_for_member(str(request.get("channel", "")), member.id)
    ts = str(request.get("ts", ""))
    message = channel.messages.get(ts)
    if message is not None and not message.is_deleted:
        return Place(message.blocks, channel=channel, message=message)
    ephemeral = find_ephemeral(workspace, ts, member.id)
    if ephemeral is not None:
        return Place(ephemeral.blocks, channel=channel, ephemeral=ephemeral)
    raise SlackError("message_not_found")


def find_element(place: Place, action_id: str, block_id: str | None, label: str | None = None) -> tuple[Json, Json]:
    """The (block, element) with this action id, or the button with this text; raises `SlackError`."""
    for block, element in stateful_elements(place.blocks):
        is_block = block_id is None or block.get("block_id") == block_id
        text = element.get("text", {}).get("text") if isinstance(element.get("text"), dict) else None
        if is_block and (element["action_id"] == action_id or (label is not None and text == label)):
            return block, element
    raise SlackError("action_not_found")


async def act(workspace: Workspace, member: Member, request: Json) -> Json:
    """A member pressed a button or chose something; returns when the app acknowledged, or didn't.

    Raises `SlackError` and `InputError` when there is nothing like that to press.
    """
    place = find_place(workspace, member, request)
    wanted = str(request.get("action_id") or "")
    block, element = find_element(place, wanted, request.get("block_id"), request.get("label") or wanted)
    known = place.view.state if place.view else {}
    state = view_state(workspace, place.blocks, known, request.get("values") or {})
    action = _action(workspace, block, element, request.get("value"))
    if element["type"] not in {"button", "overflow", "workflow_button"}:
        entry = {key: value for key, value in action.items() if key in ("type", "value") or key.startswith("selected_")}
        state.setdefault(block["block_id"], {})[element["action_id"]] = entry
    if place.view is not None:
        place.view.state = state
    payload = _payload(workspace, member, "block_actions", place)
    payload |= {"actions": [action]}
    if place.view is not None:
        payload["view"] = workspace.view_json(place.view)
    else:
        payload["state"] = {"values": state}
    delivery = await send_interaction(workspace, payload, workspace.manifest.interactivity_url)
    return outcome(delivery)


async def run_shortcut(
    workspace: Workspace, member: Member, callback_id: str, channel: Channel | None = None, ts: str | None = None
) -> Json:
    """A member used a shortcut: a global one, or one on a message; raises `SlackError`."""
    shortcut = workspace.manifest.shortcut(callback_id)
    if shortcut is None:
        raise SlackError("shortcut_not_found")
    if shortcut.type == "global":
        payload = _payload(workspace, member, "shortcut", Place([]))
        payload |= {"callback_id": callback_id, "action_ts": workspace.new_ts()}
        del payload["container"]
    else:
        message = channel.messages.get(ts or "") if channel else None
        if channel is None or message is None or message.is_deleted:
            raise SlackError("message_not_found")
        place = Place([], channel=channel, message=message)
        payload = _payload(workspace, member, "message_action", place)
        payload |= {"callback_id": callback_id, "action_ts": workspace.new_ts(), "message_ts": message.ts}
        del payload["container"]
    delivery = await send_interaction(workspace, payload, workspace.manifest.interactivity_url)
    return outcome(delivery)


async def suggest(workspace: Workspace, member: Member, request: Json) -> Json:
    """What an external select offers for what a member typed so far: `options`, or `option_groups`."""
    place = find_place(workspace, member, request)
    wanted = str(request.get("action_id") or "")
    block, element = find_element(place, wanted, request.get("block_id"))
    payload = _payload(workspace, member, "block_suggestion", place)
    payload |= {
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "value": str(request.get("value") or ""),
    }
    del payload["trigger_id"]
    payload.pop("response_url", None)
    if place.view is not None:
        payload["view"] = workspace.view_json(place.view)
    delivery = await send_interaction(
        workspace, payload, workspace.manifest.options_url or workspace.manifest.interactivity_url
    )
    answer = outcome(delivery)
    if not answer["ok"]:
        return answer | {"options": []}
    try:
        body = json.loads(delivery.response_body)
        problems = _suggestion_problems(body)
    except (ValueError, AttributeError, TypeError):
        problems = ["not a list of options"]
    if problems:
        return answer | {"ok": False, "error": "invalid_options", "messages": problems, "options": []}
    return answer | {"options": body.get("options", []), "option_groups": body.get("option_groups")}


async def send_interaction(workspace: Workspace, payload: Json, url: str | None) -> Delivery:
    """Send an interaction payload as Slack's form; raises `app_not_installed`: buttons of an app that is gone."""
    if not workspace.is_installed:
        raise SlackError("app_not_installed")
    body = urlencode({"payload": json.dumps(payload, ensure_ascii=False)})
    return await workspace.deliverer.deliver("interaction", payload["type"], url, body)


def outcome(delivery: Delivery) -> Json:
    """What a script learns of a delivery."""
    error = None if delivery.is_acked else {"timeout": "operation_timeout"}.get(delivery.outcome, "dispatch_failed")
    return {"ok": delivery.is_acked, "error": error, "delivery": delivery.id}


def base_payload(workspace: Workspace, member: Member, kind: str) -> Json:
    """What every interaction payload has."""
    settings = workspace.settings
    enterprise = workspace.enterprise_json()
    of_enterprise = {f"enterprise_{key}": value for key, value in (enterprise or {}).items()}
    return {
        "type": kind,
        # An organisation's installation is not told in which of its workspaces.
        "team": None
        if workspace.is_served_org_wide
        else {"id": settings.team_id, "domain": settings.team_domain, **of_enterprise},
        "enterprise": enterprise,
        "is_enterprise_install": workspace.is_served_org_wide,
        "user": {
            "id": member.id,
            "username": member.name,
            "name": member.name,
            "team_id": member.team_id or settings.team_id,
        },
        "api_app_id": settings.app_id,
        "token": workspace.verification_token,
    }


def _payload(workspace: Workspace, member: Member, kind: str, place: Place) -> Json:
    payload = base_payload(workspace, member, kind)
    payload["trigger_id"] = workspace.triggers.make(member.id, place.view.id if place.view else None)
    payload["container"] = {}
    if place.view is not None:
        payload["container"] = {"type": "view", "view_id": place.view.id}
        return payload
    if place.channel is None:
        return payload
    shown = place.message or place.ephemeral
    assert shown is not None
    name = {"im": "directmessage", "private": "privategroup"}.get(place.channel.kind, place.channel.name)
    payload["channel"] = {"id": place.channel.id, "name": name}
    payload["container"] = {
        "type": "message",
        "message_ts": shown.ts,
        "channel_id": place.channel.id,
        "is_ephemeral": place.ephemeral is not None,
    }
    if shown.thread_ts:
        payload["container"]["thread_ts"] = shown.thread_ts
    if place.message is not None:
        payload["message"] = workspace.message_json(place.channel, place.message, has_metadata=True)
    url = workspace.response_urls.make(
        member.id, place.channel.id, shown.ts, place.ephemeral is not None, shown.thread_ts
    )
    payload["response_url"] = f"{workspace.base_url}/actions/{workspace.settings.team_id}/{url.secret}"
    return payload


def _action(workspace: Workspace, block: Json, element: Json, given: Any) -> Json:
    action: Json = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": f"{time.time():.6f}",
    }
    if element["type"] == "button":
        action |= {key: element[key] for key in ("text", "value", "style", "url") if key in element}
        return action
    entry = read_input(workspace, element, given)
    if element["type"] == "overflow" and not entry.get("selected_option"):
        raise InputError("choose one of the menu's options")
    return action | entry | ({"placeholder": element["placeholder"]} if "placeholder" in element else {})


def _suggestion_problems(body: Json) -> list[str]:
    check = BlockChecker("suggestion", lambda slack_file: False)
    if "option_groups" in body:
        for index, group in enumerate(check.items(body, "option_groups", "", MAX_OPTIONS, least=0)):
            check_options(check, group, f"/option_groups/{index}", MAX_OPTIONS, least=0)
    else:
        check_options(check, body, "", MAX_OPTIONS, least=0)
    return check.messages
