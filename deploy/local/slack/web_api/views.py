"""views.*: opening, pushing, updating modals, and publishing home tabs."""

from __future__ import annotations

from deploy.local.slack.entities import Json
from deploy.local.slack.errors import SlackError
from deploy.local.slack.views import find_view, open_view, publish_home, push_view, update_view
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.workspace import Workspace


def views_open(workspace: Workspace, arguments: Arguments) -> Json:
    """views.open."""
    payload = _payload(arguments)
    trigger = workspace.triggers.exchange(_trigger_id(arguments))
    return {"ok": True, "view": workspace.view_json(open_view(workspace, trigger.user, payload))}


def views_push(workspace: Workspace, arguments: Arguments) -> Json:
    """views.push: only with a trigger that came from a modal."""
    payload = _payload(arguments)
    trigger = workspace.triggers.exchange(_trigger_id(arguments))
    if trigger.view_id is None:
        raise SlackError("invalid_trigger_id")
    return {"ok": True, "view": workspace.view_json(push_view(workspace, trigger.user, payload))}


def views_update(workspace: Workspace, arguments: Arguments) -> Json:
    """views.update, by `view_id` or `external_id`."""
    payload = _payload(arguments)
    if not arguments.has("view_id") and not arguments.has("external_id"):
        raise SlackError("invalid_arguments", ["[ERROR] must provide view_id or external_id"])
    view = find_view(workspace, arguments.text("view_id"), arguments.text("external_id"))
    return {
        "ok": True,
        "view": workspace.view_json(update_view(workspace, view, payload, arguments.text("hash") or None)),
    }


def views_publish(workspace: Workspace, arguments: Arguments) -> Json:
    """views.publish."""
    if not workspace.manifest.home_tab_enabled:
        raise SlackError("not_enabled")
    user = arguments.required("user_id")
    if user not in workspace.members:
        raise SlackError("user_not_found")
    view = publish_home(workspace, user, _payload(arguments), arguments.text("hash") or None)
    return {"ok": True, "view": workspace.view_json(view)}


def _trigger_id(arguments: Arguments) -> str:
    trigger_id = arguments.text("trigger_id") or arguments.text("interactivity_pointer")
    if not trigger_id:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: trigger_id"])
    return trigger_id


def _payload(arguments: Arguments) -> Json:
    payload = arguments.json_object("view", "invalid_arguments")
    if payload is None:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: view"])
    return payload
