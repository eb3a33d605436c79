"""/control/members/{member}/…: everything a member can do and see."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deploy.local.slack import member_posts
from deploy.local.slack.control.pictures import with_pictures
from deploy.local.slack.control.routing import control_route
from deploy.local.slack.control.snapshots import channel_json, member_state, message_for_script, messages_of
from deploy.local.slack.entities import Channel, Json, Member
from deploy.local.slack.errors import SlackError
from deploy.local.slack.interactions import act, run_shortcut, suggest
from deploy.local.slack.messages import dismiss_ephemeral, find_ephemeral
from deploy.local.slack.slash_commands import run_command
from deploy.local.slack.submissions import close_view, submit_view
from deploy.local.slack.workspace import Workspace

HEARTBEAT_SECONDS = 15.0


def member_routes(workspace: Workspace) -> list[Route]:
    """The routes of one acting member."""

    def member_of(request: Request) -> Member:
        return workspace.member(request.path_params["member"])

    def channel_of(request: Request, body: Json) -> Channel:
        return workspace.channel_for_member(str(body.get("channel", "")), member_of(request).id)

    async def state(request: Request, body: Json) -> Json:
        return with_pictures(workspace, member_state(workspace, member_of(request)))

    async def messages(request: Request, body: Json) -> Json:
        channel = channel_of(request, body)
        shown = messages_of(workspace, member_of(request), channel, body.get("thread_ts"))
        return with_pictures(workspace, {"messages": shown})

    async def ephemerals(request: Request, body: Json) -> Json:
        member = member_of(request)
        own = [workspace.ephemeral_json(entry) for entry in workspace.ephemerals if entry.user == member.id]
        return {"messages": own}

    async def post(request: Request, body: Json) -> Json:
        channel = channel_of(request, body)
        message = member_posts.post(
            workspace,
            member_of(request),
            channel,
            str(body.get("text", "")),
            body.get("thread_ts"),
            body.get("file_ids"),
            bool(body.get("reply_broadcast")),
        )
        return {"ok": True, "message": message_for_script(workspace, channel, message)}

    async def edit(request: Request, body: Json) -> Json:
        channel = channel_of(request, body)
        member_posts.edit(workspace, member_of(request), channel, str(body.get("ts")), str(body.get("text", "")))
        return {"ok": True}

    async def remove(request: Request, body: Json) -> Json:
        channel, member, ts = channel_of(request, body), member_of(request), str(body.get("ts"))
        ephemeral = find_ephemeral(workspace, ts, member.id)
        if ephemeral is not None:
            dismiss_ephemeral(workspace, ephemeral)
        else:
            member_posts.remove(workspace, member, channel, ts)
        return {"ok": True}

    async def react(request: Request, body: Json) -> Json:
        channel = channel_of(request, body)
        member_posts.react(workspace, member_of(request), channel, str(body.get("ts")), str(body.get("name", "")))
        return {"ok": True}

    async def command(request: Request, body: Json) -> Json:
        channel = channel_of(request, body)
        member_posts.check_is_in(member_of(request), channel)
        return await run_command(
            workspace, member_of(request), channel, str(body.get("command", "")), body.get("thread_ts")
        )

    async def action(request: Request, body: Json) -> Json:
        return await act(workspace, member_of(request), body)

    async def shortcut(request: Request, body: Json) -> Json:
        channel = channel_of(request, body) if body.get("channel") else None
        return await run_shortcut(workspace, member_of(request), str(body.get("callback_id")), channel, body.get("ts"))

    async def suggestions(request: Request, body: Json) -> Json:
        return await suggest(workspace, member_of(request), body)

    async def submit(request: Request, body: Json) -> Json:
        return await submit_view(workspace, member_of(request), request.path_params["view"], body.get("values") or {})

    async def close(request: Request, body: Json) -> Json:
        return await close_view(workspace, member_of(request), request.path_params["view"], bool(body.get("is_all")))

    async def views(request: Request, body: Json) -> Json:
        member = member_of(request)
        home = workspace.homes.get(member.id)
        return {
            "views": [workspace.view_json(view) for view in workspace.modals.get(member.id) or []],
            "home": workspace.view_json(home) if home else None,
        }

    async def upload(request: Request) -> Response:
        try:
            member = member_of(request)
            form = await request.form()
            files = [value for value in form.getlist("file") if isinstance(value, UploadFile)]
            if not files:
                raise SlackError("no_file_data")
            uploaded = []
            for part in files:
                content = await part.read()
                file = member_posts.upload(
                    workspace, member, part.filename or "file", content, str(form.get("title", ""))
                )
                uploaded.append(workspace.file_json(file))
        except SlackError as error:
            return JSONResponse(error.body(), status_code=400)
        return JSONResponse({"ok": True, "files": uploaded})

    async def app_home(request: Request, body: Json) -> Json:
        member_posts.open_app_home(workspace, member_of(request), str(body.get("tab", "home")))
        return {"ok": True}

    async def join(request: Request, body: Json) -> Json:
        channel, member = channel_of(request, body), member_of(request)
        if channel.kind != "public" or member.is_guest:
            raise SlackError("restricted_action")
        if member.id not in channel.members:
            channel.members.append(member.id)
            workspace.feed.announce("channel", {"channel": channel.id})
        return {"ok": True, "channel": channel_json(workspace, member, channel)}

    async def read(request: Request, body: Json) -> Json:
        channel, member = channel_of(request, body), member_of(request)
        channel.read[member.id] = max(channel.read.get(member.id, ""), str(body.get("ts", "")))
        return {"ok": True}

    async def stream(request: Request) -> Response:
        try:
            member = member_of(request)
            given = request.headers.get("last-event-id") or request.query_params.get("since")
            since = int(given or workspace.feed.number)
        except (SlackError, ValueError):
            return JSONResponse({"ok": False, "error": "user_not_found"}, status_code=400)
        events = _stream_changes(workspace, member, since)
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    own = "/members/{member}"
    return [
        control_route(f"{own}/state", "GET", state),
        control_route(f"{own}/messages", "GET", messages),
        control_route(f"{own}/messages", "POST", post),
        control_route(f"{own}/messages", "PUT", edit),
        control_route(f"{own}/messages", "DELETE", remove),
        control_route(f"{own}/ephemerals", "GET", ephemerals),
        control_route(f"{own}/reactions", "POST", react),
        control_route(f"{own}/commands", "POST", command),
        control_route(f"{own}/actions", "POST", action),
        control_route(f"{own}/shortcuts", "POST", shortcut),
        control_route(f"{own}/suggestions", "POST", suggestions),
        control_route(f"{own}/views", "GET", views),
        control_route(f"{own}/views/{{view}}/submit", "POST", submit),
        control_route(f"{own}/views/{{view}}/close", "POST", close),
        control_route(f"{own}/app_home", "POST", app_home),
        control_route(f"{own}/join", "POST", join),
        control_route(f"{own}/read", "POST", read),
        Route(f"/control{own}/files", upload, methods=["POST"]),
        Route(f"/control{own}/stream", stream, methods=["GET"]),
    ]


async def _stream_changes(workspace: Workspace, member: Member, since: int) -> AsyncIterator[str]:
    number = since
    yield "retry: 500\n\n"
    while not workspace.feed.is_closed:
        changes = workspace.feed.since(number)
        if changes is None or number > workspace.feed.number:
            number = workspace.feed.number
            yield f"id: {number}\nevent: reset\ndata: {{}}\n\n"
            continue
        for change in changes:
            number = change.number
            if change.is_for(member.id):
                body = json.dumps({"kind": change.kind, **with_pictures(workspace, change.body)})
                yield f"id: {number}\ndata: {body}\n\n"
        if not changes:
            await workspace.feed.wait(number, HEARTBEAT_SECONDS)
            if workspace.feed.number == number:
                yield ": still here\n\n"
