"""Modals and home tabs: a member's stack of at most three, and how it changes."""

from __future__ import annotations

import secrets
import time

from deploy.local.slack.block_ids import with_block_ids
from deploy.local.slack.blocks import check_view
from deploy.local.slack.entities import Json, View
from deploy.local.slack.errors import SlackError
from deploy.local.slack.files import is_picture_ready
from deploy.local.slack.workspace import Workspace

MAX_STACK = 3


def check_view_payload(workspace: Workspace, payload: Json) -> Json:
    """The payload with Slack's ids filled in; raises `invalid_arguments` with what is wrong."""
    problems = check_view(payload, lambda slack_file: is_picture_ready(workspace, slack_file))
    if problems:
        raise SlackError("invalid_arguments", problems)
    return payload | {"blocks": with_block_ids(workspace, payload["blocks"])}


def open_view(workspace: Workspace, user: str, payload: Json) -> View:
    """Open a modal for a member; what was open is closed."""
    payload = check_view_payload(workspace, payload)
    _check_external_id(workspace, payload, None)
    view_id = workspace.new_id("V")
    view = View(view_id, user, payload, _new_hash(), root_view_id=view_id)
    workspace.modals[user] = [view]
    announce_views(workspace, user)
    return view


def push_view(workspace: Workspace, user: str, payload: Json) -> View:
    """Put a modal on top of a member's stack; raises `push_limit_reached` at the fourth."""
    stack = workspace.modals.get(user) or []
    if not stack:
        raise SlackError("view_not_found")
    if len(stack) >= MAX_STACK:
        raise SlackError("push_limit_reached")
    payload = check_view_payload(workspace, payload)
    _check_external_id(workspace, payload, None)
    below = stack[-1]
    view = View(workspace.new_id("V"), user, payload, _new_hash(), below.root_view_id, previous_view_id=below.id)
    stack.append(view)
    announce_views(workspace, user)
    return view


def update_view(workspace: Workspace, view: View, payload: Json, expected_hash: str | None) -> View:
    """Replace what a view shows; raises `hash_conflict` when it changed since that hash."""
    if expected_hash and expected_hash != view.hash:
        raise SlackError("hash_conflict")
    if payload.get("type") != view.payload["type"]:
        raise SlackError("invalid_arguments", ["[ERROR] view type can't change [json-pointer:/view/type]"])
    payload = check_view_payload(workspace, payload)
    _check_external_id(workspace, payload, view)
    view.payload, view.hash = payload, _new_hash()
    kept = {block["block_id"] for block in payload["blocks"]}
    view.state = {block_id: values for block_id, values in view.state.items() if block_id in kept}
    announce_views(workspace, view.user)
    return view


def publish_home(workspace: Workspace, user: str, payload: Json, expected_hash: str | None) -> View:
    """Set a member's home tab of the app."""
    if payload.get("type") != "home":
        raise SlackError("invalid_arguments", ["[ERROR] must be one of: home [json-pointer:/view/type]"])
    view = workspace.homes.get(user)
    if view is None:
        view_id = workspace.new_id("V")
        view = View(view_id, user, check_view_payload(workspace, payload), _new_hash(), root_view_id=view_id)
        workspace.homes[user] = view
        announce_views(workspace, user)
        return view
    return update_view(workspace, view, payload, expected_hash)


def find_view(workspace: Workspace, view_id: str = "", external_id: str = "") -> View:
    """An open view by its id or the app's own; raises `not_found`."""
    views = [view for stack in workspace.modals.values() for view in stack] + list(workspace.homes.values())
    for view in views:
        if (view_id and view.id == view_id) or (external_id and view.external_id == external_id):
            return view
    raise SlackError("not_found")


def close_views(workspace: Workspace, user: str, is_all: bool) -> list[View]:
    """Close a member's top modal, or the whole stack; returns what was closed, top first."""
    stack = workspace.modals.get(user) or []
    closed = stack[::-1] if is_all else stack[-1:]
    workspace.modals[user] = [] if is_all else stack[:-1]
    announce_views(workspace, user)
    return closed


def announce_views(workspace: Workspace, user: str) -> None:
    """Tell the page which modals and which home tab a member sees."""
    body = {
        "views": [workspace.view_json(view) for view in workspace.modals.get(user) or []],
        "home": workspace.view_json(workspace.homes[user]) if user in workspace.homes else None,
    }
    workspace.feed.announce("views", body, [user])


def _check_external_id(workspace: Workspace, payload: Json, own: View | None) -> None:
    external_id = payload.get("external_id")
    if not external_id:
        return
    try:
        other = find_view(workspace, external_id=external_id)
    except SlackError:
        return
    if other is not own:
        raise SlackError("duplicate_external_id")


def _new_hash() -> str:
    return f"{int(time.time())}.{secrets.token_hex(4)}"
