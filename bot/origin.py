"""Where a request of Slack's comes from: the workspace that the app is asked in, and the organisation it belongs to."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]


def team_of(body: Body) -> str:
    """The id (`T…`) of the workspace whose installation is asked, or an empty text where the body does not say.

    Events in shared channels name the sender's workspace first; the authorization names ours. A form that was opened in
    a shared channel names the workspace of the installation in its view. With an organisation's installation `team` is
    null in interactions: `bot.asked_team` fills it in. The member's own workspace says nothing about it.
    """
    is_senders = body.get("is_ext_shared_channel") is True
    candidates = (
        object_in(body, "view").get("app_installed_team_id"),
        object_in(body, "team").get("id"),
        _authorization(body).get("team_id"),
        body.get("context_team_id"),
        None if is_senders else body.get("team_id"),
    )
    return next((one for one in candidates if isinstance(one, str) and one.startswith("T")), "")


def enterprise_of(body: Body) -> str:
    """The id (`E…`) of the organisation that the workspace belongs to, or an empty text."""
    candidates = (
        object_in(body, "enterprise").get("id"),
        object_in(body, "team").get("enterprise_id"),
        _authorization(body).get("enterprise_id"),
        body.get("context_enterprise_id"),
        body.get("enterprise_id"),
    )
    return next((one for one in candidates if isinstance(one, str) and one.startswith("E")), "")


def _authorization(body: Body) -> Body:
    authorizations = body.get("authorizations")
    first = authorizations[0] if isinstance(authorizations, list) and authorizations else None
    return first if isinstance(first, dict) else {}


def object_in(body: Body, name: str) -> Body:
    """The object of that name, or an empty one."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}
