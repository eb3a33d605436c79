"""files.*: Slack's external upload, and looking at files."""

from __future__ import annotations

from deploy.local.slack.entities import File, Json
from deploy.local.slack.errors import SlackError
from deploy.local.slack.files import complete_files, delete_file, is_visible_to_app, start_file
from deploy.local.slack.messages import post_message, thread_of
from deploy.local.slack.web_api.arguments import Arguments
from deploy.local.slack.web_api.chat import find_channel, read_content
from deploy.local.slack.workspace import Workspace

MAX_ALT_TEXT = 1000


def get_upload_url(workspace: Workspace, arguments: Arguments) -> Json:
    """files.getUploadURLExternal."""
    alt_txt = arguments.text("alt_txt") or None
    if alt_txt and len(alt_txt) > MAX_ALT_TEXT:
        raise SlackError("alt_txt_too_large")
    filename = arguments.required("filename")
    length = arguments.number("length", 0)
    file = start_file(workspace, workspace.settings.bot_user_id, filename, length, alt_txt=alt_txt)
    return {"ok": True, "upload_url": f"{workspace.base_url}/upload/v1/{file.upload_token}", "file_id": file.id}


def complete_upload(workspace: Workspace, arguments: Arguments) -> Json:
    """files.completeUploadExternal: without a channel the files stay private to the app."""
    entries = arguments.json_list("files", "invalid_arguments")
    if not entries:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: files"])
    files: list[File] = []
    for entry in entries:
        file = workspace.files.get(str(entry.get("id")) if isinstance(entry, dict) else "")
        if file is None or file.content is None or file.is_complete or file.user != workspace.settings.bot_user_id:
            raise SlackError("file_not_found")
        files.append(file)
    channels = [
        find_channel(workspace, wanted)
        for wanted in [arguments.text("channel_id"), *arguments.text("channels").split(",")]
        if wanted
    ]
    if any(workspace.settings.bot_user_id not in channel.members for channel in channels):
        raise SlackError("not_in_channel")
    content = read_content(workspace, arguments)
    comment = arguments.text("initial_comment")
    if content["blocks"] and comment:
        raise SlackError("invalid_arguments", ["[ERROR] initial_comment and blocks can't be used together"])
    thread_ts = thread_of(channels[0], arguments.text("thread_ts") or None) if channels else None
    for channel in channels:
        workspace.limits.count_post(channel.id)
    for file, entry in zip(files, entries, strict=True):
        file.title = str(entry.get("title") or file.name)

    async def share() -> None:
        for channel in channels:
            shared = [file.id for file in files if not file.is_deleted]
            post_message(
                workspace,
                channel,
                workspace.settings.bot_user_id,
                comment,
                blocks=content["blocks"] or [],
                thread_ts=thread_ts,
                is_from_app=True,
                files=shared,
            )

    complete_files(workspace, files, share if channels else None)
    return {"ok": True, "files": [workspace.file_json(file) for file in files]}


def file_info(workspace: Workspace, arguments: Arguments) -> Json:
    """files.info."""
    file = _visible_file(workspace, arguments)
    return {
        "ok": True,
        "file": workspace.file_json(file),
        "comments": [],
        "response_metadata": {"next_cursor": ""},
    }


def delete_file_method(workspace: Workspace, arguments: Arguments) -> Json:
    """files.delete."""
    file = _visible_file(workspace, arguments)
    if file.user != workspace.settings.bot_user_id:
        raise SlackError("cant_delete_file")
    delete_file(workspace, file)
    return {"ok": True}


def list_files(workspace: Workspace, arguments: Arguments) -> Json:
    """files.list: newest first, by `page` and `count`."""
    wanted_channel, wanted_user = arguments.text("channel"), arguments.text("user")
    files = [
        file
        for file in reversed(workspace.files.values())
        if is_visible_to_app(workspace, file)
        and (not wanted_user or file.user == wanted_user)
        and (not wanted_channel or any(share[0] == wanted_channel for share in file.shares))
    ]
    count, page = min(arguments.number("count", 100), 1000), max(1, arguments.number("page", 1))
    paging = {"count": count, "total": len(files), "page": page, "pages": max(1, -(-len(files) // count))}
    shown = files[(page - 1) * count : page * count]
    return {"ok": True, "files": [workspace.file_json(file) for file in shown], "paging": paging}


def _visible_file(workspace: Workspace, arguments: Arguments) -> File:
    file = workspace.files.get(arguments.required("file"))
    if file is not None and file.is_deleted:
        raise SlackError("file_deleted")
    if file is None or not is_visible_to_app(workspace, file):
        raise SlackError("file_not_found")
    return file
