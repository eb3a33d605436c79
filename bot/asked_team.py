"""Which workspace is asked where Slack does not say so: what Easel itself has written there tells, or nothing does.

Where an organisation's installation serves a workspace, `team` is null in what buttons and forms send. The member's own
workspace would be a guess: in a channel that is shared with another company it is that company's.
"""

from __future__ import annotations

from typing import Any

from bot.origin import Body, object_in, team_of
from bot.places import message_key
from bot.ports.records import RecordStore
from commands.views.admin_change import confirmed_workspace
from commands.views.form import FormOrigin


def name_team(body: Body, store: RecordStore) -> None:
    """Put the workspace's id into a body that names none, if a form, a preview or a message of ours tells it.

    May look into the store. The body then still names none where nothing tells: nobody is taken for a member there.
    """
    if team_of(body) or not isinstance(body.get("user"), dict):
        return
    team = _of_form(body) or _of_preview(body) or _of_message(body, store)
    if team:
        body["team"] = {"id": team}


def _of_form(body: Body) -> str:
    """Nobody but us can write a form's private metadata."""
    try:
        return FormOrigin.from_metadata(str(object_in(body, "view").get("private_metadata"))).team
    except (KeyError, TypeError, ValueError):
        return ""


def _of_preview(body: Body) -> str:
    """Only one member sees it, so there is no record of it."""
    return confirmed_workspace(str(_pressed(body).get("block_id")))


def _of_message(body: Body, store: RecordStore) -> str:
    """The message has a record under the workspace that it was posted for. Slack's words say which one to look for."""
    container, message = object_in(body, "container"), object_in(body, "message")
    channel, ts = container.get("channel_id"), container.get("message_ts")
    candidates = (message.get("team"), object_in(body, "user").get("team_id"))
    for team in dict.fromkeys(candidates):
        is_id = isinstance(team, str) and team.startswith("T")
        if is_id and store.get(message_key(str(team), str(channel), str(ts))) is not None:
            return str(team)
    return ""


def _pressed(body: Body) -> dict[str, Any]:
    actions = body.get("actions")
    first = actions[0] if isinstance(actions, list) and actions else None
    return first if isinstance(first, dict) else {}
