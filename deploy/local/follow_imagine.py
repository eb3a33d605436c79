"""One `/imagine` in the local workspace, from the signed command to the saved picture, with the time of each stage."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.PngImagePlugin import PngImageFile

from deploy.local.slack.client import ActingMember, LocalWorkspace, WaitTimeout
from deploy.local.slack.client_types import Message

# How the fallback texts of `commands.views` begin; a test holds them equal.
ENDED_WITHOUT_PICTURE = ("That did not work", "Cancelled")


class ImagineFailed(Exception):
    """No picture came; the message is one sentence for people."""


@dataclass(frozen=True)
class Painted:
    """A posted result. Times are seconds since the command was sent; `model_seconds` is the container's own time."""

    message: Message
    png: bytes
    job_id: str
    ack_seconds: float
    queued_seconds: float
    model_seconds: float
    posted_seconds: float

    @property
    def overhead_seconds(self) -> float:
        """What everything but the model took."""
        return self.posted_seconds - self.model_seconds


def follow_imagine(
    workspace: LocalWorkspace,
    member: ActingMember,
    channel: str,
    command: str,
    model_seconds_of: Callable[[str], float],
    *,
    timeout_seconds: float = 60,
) -> Painted:
    """Send the command as the member, wait for the result, download its picture.

    `model_seconds_of` answers the container's time for a job id. Raises `ImagineFailed`.
    """
    before = {message.ts for message in member.messages(channel)}
    told_before = {message.ts for message in member.ephemerals(channel)}
    sent = time.monotonic()
    outcome = member.run_command(channel, command)
    acked = time.monotonic()
    if outcome.error:
        raise ImagineFailed(f"Slack could not hand the command to Easel: {outcome.error}.")
    told = [message for message in member.ephemerals(channel) if message.ts not in told_before]
    if told:
        raise ImagineFailed(told[0].text)

    def new_message() -> Message | None:
        return next(
            (m for m in member.messages(channel) if m.is_from_app and not m.is_ephemeral and m.ts not in before), None
        )

    def settled() -> Message | None:
        message = new_message()
        return message if message is not None and (message.pictures or is_over(message)) else None

    try:
        message = workspace.wait_for(settled, timeout_seconds, "a result")
    except WaitTimeout as error:
        raise ImagineFailed(f"No picture came within {timeout_seconds:.0f} s of the command.") from error
    assert message is not None
    if not message.pictures:
        raise ImagineFailed(" ".join(" ".join(message.block_texts[1:2]).split()) or message.text)
    png = workspace.download(picture_file(message))
    job_id = read_facts(png)["job_id"]
    return Painted(
        message=message,
        png=png,
        job_id=job_id,
        ack_seconds=acked - sent,
        queued_seconds=message.posted_monotonic - sent,
        model_seconds=model_seconds_of(job_id),
        posted_seconds=message.changed_monotonic - sent,
    )


def is_over(message: Message) -> bool:
    """Whether a message of the app says that a request has ended without a picture."""
    return message.text.startswith(ENDED_WITHOUT_PICTURE)


def picture_file(message: Message) -> str:
    """The id of the file that a result shows."""
    picture = message.pictures[0]
    return str(picture["slack_file"]["id"] if "slack_file" in picture else picture["id"])


def read_facts(png: bytes) -> dict[str, Any]:
    """Easel's own metadata of a PNG."""
    with PngImageFile(io.BytesIO(png)) as picture:
        picture.load()
        facts: dict[str, Any] = json.loads(picture.text["easel"])
    return facts


def save_picture(painted: Painted, folder: Path) -> Path:
    """Write the picture as `<folder>/<job id>.png` and return the absolute path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = (folder / f"{painted.job_id}.png").resolve()
    path.write_bytes(painted.png)
    return path
