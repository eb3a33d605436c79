"""Block and action ids that Slack makes up where the app gave none."""

from __future__ import annotations

from deploy.local.slack.entities import Json
from deploy.local.slack.workspace import Workspace


def with_block_ids(workspace: Workspace, blocks: list[Json]) -> list[Json]:
    """The blocks with the ids that Slack gives where the app gave none."""
    numbered = []
    for block in blocks:
        block = dict(block)
        block.setdefault("block_id", workspace.new_id("b"))
        for key in ("elements", "element", "accessory"):
            if key == "elements" and block.get("type") == "actions":
                block[key] = [_with_action_id(workspace, element) for element in block[key]]
            elif key != "elements" and isinstance(block.get(key), dict) and block[key].get("type") != "image":
                block[key] = _with_action_id(workspace, block[key])
        numbered.append(block)
    return numbered


def _with_action_id(workspace: Workspace, element: Json) -> Json:
    return element if "action_id" in element else {**element, "action_id": workspace.new_id("a")}
