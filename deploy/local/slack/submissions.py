"""Submitting and closing modals."""

from __future__ import annotations

import json
from typing import Any

from deploy.local.slack.entities import Json, Member, View
from deploy.local.slack.errors import SlackError
from deploy.local.slack.input_values import form_errors, stateful_elements, view_state
from deploy.local.slack.interactions import base_payload, outcome, send_interaction
from deploy.local.slack.views import announce_views, close_views, push_view, update_view
from deploy.local.slack.workspace import Workspace

TROUBLE = "We had some trouble connecting. Try again?"


async def submit_view(workspace: Workspace, member: Member, view_id: str, values: Json) -> Json:
    """A member submits a modal; `values` is `{block_id: {action_id: given}}`, for what they changed.

    The answer has `ok`, `errors` (`{block_id: sentence}`), `error` and `text` (trouble on the app's side), `views` (the
    stack afterwards). Raises `SlackError` and `InputError`.
    """
    view = _open_view(workspace, member, view_id)
    view.state = view_state(workspace, view.payload["blocks"], view.state, values)
    errors = form_errors(view.payload["blocks"], view.state)
    if errors:
        return _answer(workspace, member, errors=errors)
    for block in view.state.values():
        for entry in block.values():
            workspace.files_given_to_app.update(file["id"] for file in entry.get("files", []))
    payload = base_payload(workspace, member, "view_submission") | {
        "trigger_id": workspace.triggers.make(member.id, view.id),
        "view": workspace.view_json(view),
        "response_urls": _response_urls(workspace, member, view),
    }
    delivery = await send_interaction(workspace, payload, workspace.manifest.interactivity_url)
    if not delivery.is_acked:
        return _answer(workspace, member, error=outcome(delivery)["error"], text=TROUBLE, delivery=delivery.id)
    try:
        body = json.loads(delivery.response_body) if delivery.response_body.strip() else {}
        errors = _apply(workspace, member, view, body)
    except (ValueError, AttributeError, TypeError, KeyError):
        return _answer(workspace, member, error="invalid_response", text=TROUBLE, delivery=delivery.id)
    except SlackError as error:
        return _answer(workspace, member, error=error.code, text=TROUBLE, messages=error.messages, delivery=delivery.id)
    return _answer(workspace, member, errors=errors, delivery=delivery.id)


async def close_view(workspace: Workspace, member: Member, view_id: str, is_all: bool = False) -> Json:
    """A member closes the top modal, or all of them; the app hears of it where it asked to (`notify_on_close`)."""
    view = _open_view(workspace, member, view_id)
    is_cleared = is_all or bool(view.payload.get("clear_on_close"))
    for closed in close_views(workspace, member.id, is_cleared):
        if closed.payload.get("notify_on_close"):
            payload = base_payload(workspace, member, "view_closed")
            payload |= {"view": workspace.view_json(closed), "is_cleared": is_cleared}
            workspace.run_later(send_interaction(workspace, payload, workspace.manifest.interactivity_url))
    return _answer(workspace, member)


def _apply(workspace: Workspace, member: Member, view: View, body: Json) -> dict[str, str]:
    action = body.get("response_action")
    if action is None:
        stack = workspace.modals.get(member.id) or []
        workspace.modals[member.id] = [open_one for open_one in stack if open_one.id != view.id]
        announce_views(workspace, member.id)
        return {}
    if action == "clear":
        close_views(workspace, member.id, is_all=True)
        return {}
    if action == "update":
        update_view(workspace, view, body["view"], None)
        return {}
    if action == "push":
        push_view(workspace, member.id, body["view"])
        return {}
    if action == "errors":
        inputs = {block["block_id"] for block in view.payload["blocks"] if block["type"] == "input"}
        errors = {str(key): str(value) for key, value in body["errors"].items()}
        if not errors or not set(errors) <= inputs:
            raise SlackError("invalid_errors", [f"[ERROR] no input block has the id {key}" for key in errors])
        return errors
    raise SlackError("invalid_response_action")


def _open_view(workspace: Workspace, member: Member, view_id: str) -> View:
    stack = workspace.modals.get(member.id) or []
    if not stack or stack[-1].id != view_id:
        raise SlackError("view_not_found")
    return stack[-1]


def _response_urls(workspace: Workspace, member: Member, view: View) -> list[Json]:
    urls = []
    for block, element in stateful_elements(view.payload["blocks"]):
        if not element.get("response_url_enabled"):
            continue
        entry = view.state.get(block["block_id"], {}).get(element["action_id"], {})
        channel_id = entry.get("selected_conversation") or entry.get("selected_channel")
        if channel_id in workspace.channels:
            url = workspace.response_urls.make(member.id, channel_id)
            address = f"{workspace.base_url}/actions/{workspace.settings.team_id}/{url.secret}"
            urls.append(
                {
                    "block_id": block["block_id"],
                    "action_id": element["action_id"],
                    "channel_id": channel_id,
                    "response_url": address,
                }
            )
    return urls


def _answer(workspace: Workspace, member: Member, **facts: Any) -> Json:
    answer: Json = {"ok": not facts.get("errors") and not facts.get("error"), "errors": {}, "error": None, "text": ""}
    views = [workspace.view_json(view) for view in workspace.modals.get(member.id) or []]
    return answer | facts | {"views": views}
