"""Every Python example in docs/local-workspace.md runs, in order, against a workspace with an app that paints."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.local.slack.control.members import member_routes
from deploy.local.slack.control.scripts import script_routes
from deploy.local.slack.manifest import Manifest
from deploy.local.slack.settings import WorkspaceSettings
from deploy.local.slack.workspace import Workspace
from tests.scenario.local_slack_app import MANIFEST, Running
from tests.scenario.local_slack_painter import draw, teach

DOCUMENT = Path(__file__).parents[2] / "docs" / "local-workspace.md"


def test_the_examples_run(tmp_path: Path) -> None:
    picture = tmp_path / "sketch.png"
    picture.write_bytes(draw("a red circle"))
    examples = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) > 5
    running = Running(file_processing_seconds=0.05, rate_limit_factor=None)
    teach(running)
    try:
        names = {"url": running.server.url, "picture_path": picture}
        for number, example in enumerate(examples):
            exec(compile(example, f"{DOCUMENT.name} example {number + 1}", "exec"), names)
    finally:
        running.stop()


def test_the_table_of_the_control_api_is_complete() -> None:
    documented = set(re.findall(r"^\| `([A-Z]+ /control[^`]*)`", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    workspace = Workspace(WorkspaceSettings(manifest=Manifest.parse(MANIFEST)))
    routes = [*script_routes(workspace), *member_routes(workspace)]
    served = {f"{method} {route.path}" for route in routes for method in (route.methods or set()) - {"HEAD"}}
    assert documented == served
