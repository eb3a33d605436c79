"""The pictures that blocks refer to, with their sizes, so that the page can lay them out before they load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.local.slack.entities import Json
from deploy.local.slack.files import find_slack_file
from deploy.local.slack.workspace import Workspace


def with_pictures(workspace: Workspace, body: Json) -> Json:
    """The body with `pictures`: for every `slack_file` in it, by its id or url, the file's address and size."""
    pictures: Json = {}
    for slack_file in _slack_files(body):
        file = find_slack_file(workspace, slack_file)
        if file is not None and not file.is_deleted:
            key = str(slack_file.get("id") or slack_file.get("url"))
            whole = workspace.file_json(file)
            kept = ("id", "name", "title", "mimetype", "size", "url_private", "url_private_download")
            pictures[key] = {name: whole[name] for name in kept} | {"width": file.width, "height": file.height}
    return body | {"pictures": pictures} if pictures else body


def _slack_files(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if isinstance(value.get("slack_file"), dict):
            yield value["slack_file"]
        for item in value.values():
            if isinstance(item, dict | list):
                yield from _slack_files(item)
    elif isinstance(value, list):
        for item in value:
            yield from _slack_files(item)
