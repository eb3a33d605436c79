"""/control/…: what concerns the whole workspace: the app's address, channels, members, faults, the log."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from deploy.local.slack.control.routing import control_route
from deploy.local.slack.entities import Json, UserGroup
from deploy.local.slack.errors import SlackError
from deploy.local.slack.events import send_last_events, verify_request_url
from deploy.local.slack.member_posts import invite, leave
from deploy.local.slack.oauth.decision import Authorization, decide
from deploy.local.slack.workspace import Workspace

MAX_WAIT_SECONDS = 30.0


def script_routes(workspace: Workspace) -> list[Route]:
    """The routes for scripts."""

    async def info(request: Request, body: Json) -> Json:
        return {
            "team": {"id": workspace.settings.team_id, "name": workspace.settings.team_name},
            "app": {
                "id": workspace.settings.app_id,
                "bot_user_id": workspace.settings.bot_user_id,
                "client_id": workspace.app.client_id,
                "is_installed": workspace.is_installed,
                "is_installed_org_wide": workspace.is_served_org_wide,
            },
            "members": [workspace.member_json(member) for member in workspace.members.values()],
            "channels": [
                channel.as_json(workspace.settings.bot_user_id) | {"kind": channel.kind, "members": channel.members}
                for channel in workspace.channels.values()
            ],
            "number": workspace.feed.number,
        }

    async def set_app(request: Request, body: Json) -> Json:
        if "request_url" in body:
            workspace.app.set_request_url(body["request_url"])
        if "redirect_urls" in body:
            workspace.app.redirect_urls = [str(url) for url in body["redirect_urls"]]
        workspace.feed.announce("app", {})
        return {"ok": True}

    async def verify(request: Request, body: Json) -> Json:
        return {"ok": await verify_request_url(workspace)}

    async def start_over(request: Request, body: Json) -> Json:
        workspace.start_over()
        return {"ok": True}

    async def uninstall(request: Request, body: Json) -> Json:
        place = workspace.app.place_serving(workspace)
        if place is None:
            raise SlackError("app_not_installed")
        is_org_wide = workspace.is_served_org_wide
        workspace.app.uninstall(place)
        send_last_events(workspace, body.get("order") or ["app_uninstalled", "tokens_revoked"], is_org_wide)
        workspace.feed.announce("app", {})
        return {"ok": True}

    async def reinstall(request: Request, body: Json) -> Json:
        workspace.app.install_by_hand(workspace)
        workspace.feed.announce("app", {})
        return {"ok": True}

    async def authorize(request: Request, body: Json) -> Json:
        asked = Authorization.of_url(str(body.get("authorize_url", "")))
        is_allowed, is_org_wide = bool(body.get("is_allowed", True)), bool(body.get("is_org_wide"))
        target = decide(workspace, asked, str(body.get("member") or "ada"), is_allowed, is_org_wide)
        return {"ok": True, "redirect_url": target}

    async def expire_tokens(request: Request, body: Json) -> Json:
        place = workspace.app.place_serving(workspace)
        if place is None:
            raise SlackError("app_not_installed")
        workspace.app.expire_tokens(place)
        return {"ok": True}

    async def add_channel(request: Request, body: Json) -> Json:
        creator = workspace.member(str(body.get("creator") or "ada"))
        members = [workspace.member(name).id for name in body.get("members") or []]
        channel = workspace.add_channel(
            str(body.get("name", "")),
            creator.id,
            [creator.id, *members],
            str(body.get("purpose", "")),
            bool(body.get("is_private")),
        )
        return {"ok": True, "channel": channel.as_json(creator.id) | {"members": channel.members}}

    async def add_member(request: Request, body: Json) -> Json:
        name = str(body.get("name", ""))
        member = workspace.add_member(
            name,
            str(body.get("real_name") or name.title()),
            is_admin=bool(body.get("is_admin")),
            is_guest=bool(body.get("is_guest")),
            team_id=str(body.get("team_id") or ""),
        )
        for wanted in body.get("channels") or []:
            workspace.channel_for_member(wanted, member.id).members.append(member.id)
        return {"ok": True, "member": workspace.member_json(member)}

    async def add_usergroup(request: Request, body: Json) -> Json:
        users = [workspace.member(name).id for name in body.get("users") or []]
        handle = str(body["handle"])
        group = UserGroup(workspace.new_id("S"), handle, str(body.get("name") or handle), users)
        workspace.usergroups[group.id] = group
        return {"ok": True, "usergroup": group.as_json(workspace.settings.team_id, with_users=True)}

    async def change_membership(request: Request, body: Json) -> Json:
        inviter = workspace.member(str(body.get("by") or "ada"))
        channel = workspace.channel_for_member(str(body.get("channel", "")), inviter.id)
        member = workspace.member(str(body.get("member", "")))
        if body.get("is_member", True):
            invite(workspace, channel, member, inviter)
        else:
            leave(workspace, channel, member)
        return {"ok": True}

    async def faults(request: Request, body: Json) -> Json:
        return workspace.faults.as_json()

    async def switch_on(request: Request, body: Json) -> Json:
        workspace.faults.switch_on(body)
        return {"ok": True}

    async def switch_off(request: Request, body: Json) -> Json:
        workspace.faults.clear()
        workspace.file_processing_seconds = workspace.settings.file_processing_seconds
        return {"ok": True}

    async def tune(request: Request, body: Json) -> Json:
        if "file_processing_seconds" in body:
            workspace.file_processing_seconds = float(body["file_processing_seconds"])
        if "rate_limit_factor" in body:
            factor = body["rate_limit_factor"]
            workspace.limits.set_factor(None if factor is None else float(factor))
        return {"ok": True}

    async def log(request: Request, body: Json) -> Json:
        return workspace.log.as_json()

    async def clear_log(request: Request, body: Json) -> Json:
        workspace.log.clear()
        return {"ok": True}

    async def changes(request: Request, body: Json) -> Json:
        since = int(body.get("since", 0))
        timeout_seconds = min(float(body.get("timeout_seconds", 0)), MAX_WAIT_SECONDS)
        await workspace.feed.wait(since, timeout_seconds)
        return {"number": workspace.feed.number}

    async def files(request: Request, body: Json) -> Json:
        shown = [file for file in workspace.files.values() if file.is_complete]
        if body.get("id"):
            shown = [file for file in shown if file.id == body["id"]]
            if not shown:
                raise SlackError("file_not_found")
        return {"files": [workspace.file_json(file) for file in shown]}

    return [
        control_route("", "GET", info),
        control_route("/start_over", "POST", start_over),
        control_route("/app", "PUT", set_app),
        control_route("/app/verify", "POST", verify),
        control_route("/app/uninstall", "POST", uninstall),
        control_route("/app/reinstall", "POST", reinstall),
        control_route("/app/authorize", "POST", authorize),
        control_route("/app/expire_tokens", "POST", expire_tokens),
        control_route("/channels", "POST", add_channel),
        control_route("/members", "POST", add_member),
        control_route("/usergroups", "POST", add_usergroup),
        control_route("/membership", "POST", change_membership),
        control_route("/faults", "GET", faults),
        control_route("/faults", "POST", switch_on),
        control_route("/faults", "DELETE", switch_off),
        control_route("/settings", "PUT", tune),
        control_route("/log", "GET", log),
        control_route("/log", "DELETE", clear_log),
        control_route("/changes", "GET", changes),
        control_route("/files", "GET", files),
    ]
