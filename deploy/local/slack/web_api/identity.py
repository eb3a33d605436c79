"""auth.*, api.*, team.*, bots.*, users.*, usergroups.*: who is who."""

from __future__ import annotations

from deploy.local.slack.entities import Json
from deploy.local.slack.errors import SlackError
from deploy.local.slack.events import send_last_events
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.workspace import Workspace


def auth_test(workspace: Workspace, arguments: Arguments) -> Json:
    """auth.test."""
    settings = workspace.settings
    return {
        "ok": True,
        "url": f"{workspace.base_url}/",
        "team": settings.team_name,
        "user": workspace.app_member.name,
        "team_id": settings.team_id,
        "user_id": settings.bot_user_id,
        "bot_id": settings.bot_id,
        "is_enterprise_install": workspace.is_served_org_wide,
        **({"enterprise_id": settings.enterprise_id} if settings.enterprise_id else {}),
    }


def auth_revoke(workspace: Workspace, arguments: Arguments) -> Json:
    """auth.revoke: the token of the call, and with it the installation, unless tokens rotate."""
    assert arguments.token is not None
    if arguments.flag("test"):
        return {"ok": True, "revoked": False}
    workspace.app.revoke(arguments.token)
    order = ["tokens_revoked"] if arguments.token.ends_monotonic is not None else ["tokens_revoked", "app_uninstalled"]
    send_last_events(workspace, order, arguments.token.place == workspace.settings.enterprise_id)
    return {"ok": True, "revoked": True}


def apps_uninstall(workspace: Workspace, arguments: Arguments) -> Json:
    """apps.uninstall."""
    assert arguments.token is not None
    app = workspace.app
    if (arguments.text("client_id"), arguments.text("client_secret")) != (app.client_id, app.client_secret):
        raise SlackError("client_id_token_mismatch")
    app.uninstall(arguments.token.place)
    is_org_wide = arguments.token.place == workspace.settings.enterprise_id
    send_last_events(workspace, ["app_uninstalled", "tokens_revoked"], is_org_wide)
    return {"ok": True}


def api_test(workspace: Workspace, arguments: Arguments) -> Json:
    """api.test."""
    if arguments.has("error"):
        raise SlackError(arguments.text("error"))
    return {"ok": True, "args": {key: value for key, value in arguments.values.items() if key != "token"}}


def team_info(workspace: Workspace, arguments: Arguments) -> Json:
    """team.info."""
    settings = workspace.settings
    team = {
        "id": settings.team_id,
        "name": settings.team_name,
        "domain": settings.team_domain,
        "email_domain": "",
        "url": f"{workspace.base_url}/",
        "icon": {"image_default": True},
    }
    return {"ok": True, "team": team}


def bots_info(workspace: Workspace, arguments: Arguments) -> Json:
    """bots.info."""
    if arguments.text("bot", workspace.settings.bot_id) != workspace.settings.bot_id:
        raise SlackError("bot_not_found")
    return {"ok": True, "bot": workspace.bot_json()}


def users_info(workspace: Workspace, arguments: Arguments) -> Json:
    """users.info."""
    member = workspace.members.get(arguments.required("user"))
    if member is None:
        raise SlackError("user_not_found")
    return {"ok": True, "user": workspace.member_json(member)}


def users_list(workspace: Workspace, arguments: Arguments) -> Json:
    """users.list."""
    page, cursor = arguments.page_of(list(workspace.members.values()))
    members = [workspace.member_json(member) for member in page]
    return {"ok": True, "members": members, "cache_ts": 0, "response_metadata": {"next_cursor": cursor}}


def usergroups_list(workspace: Workspace, arguments: Arguments) -> Json:
    """usergroups.list."""
    with_users = arguments.flag("include_users")
    return {
        "ok": True,
        "usergroups": [
            group.as_json(workspace.settings.team_id, with_users) for group in workspace.usergroups.values()
        ],
    }


def usergroups_users_list(workspace: Workspace, arguments: Arguments) -> Json:
    """usergroups.users.list."""
    group = workspace.usergroups.get(arguments.required("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"ok": True, "users": group.users}
