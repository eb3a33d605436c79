"""`make imagine`: one picture through the whole system, without a browser."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from deploy.local.follow_imagine import ImagineFailed, follow_imagine, save_picture
from deploy.local.slack.client import LocalWorkspace
from deploy.local.stack import LocalStack, StackSettings


def imagine_once(prompt: str, folder: Path) -> int:
    """Start the stack, paint one picture, stop the stack. Returns an exit status."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"  {time.monotonic() - started:5.1f} s  {text}", flush=True)

    print(f"/imagine {prompt}", flush=True)
    with LocalStack(StackSettings(), say) as stack:
        say("ready: ada sends the signed command in #general")
        return imagine(stack, prompt, folder)


def imagine(stack: LocalStack, prompt: str, folder: Path) -> int:
    """Paint as a member of the workspace, save the picture, print each stage, and the PNG's path as the last line.

    Returns 0, or 1 after one sentence on standard error that says why there is no picture.
    """
    if not prompt.strip():
        print('No picture: say what to paint, such as PROMPT="a red boat on a blue background".', file=sys.stderr)
        return 1
    with LocalWorkspace(stack.workspace_url) as workspace:
        try:
            painted = follow_imagine(
                workspace, workspace.as_member("ada"), "general", f"/imagine {prompt}", stack.model_seconds
            )
            path = save_picture(painted, folder)
        except ImagineFailed as error:
            print(f"No picture: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"The picture could not be saved in {folder}: {error.strerror}.", file=sys.stderr)
            return 1
    print(f"  ack     {painted.ack_seconds:6.2f} s  Slack's command was answered")
    print(f"  queued  {painted.queued_seconds:6.2f} s  the placeholder stood in the channel")
    print(f"  model   {painted.model_seconds:6.2f} s  the model's own time")
    print(f"  posted  {painted.posted_seconds:6.2f} s  the picture stood in the channel")
    print(path, flush=True)
    return 0
