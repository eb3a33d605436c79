"""One training in the local workspace, by its form: asked for, approved, followed to its LoRA."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.views.training_form import file_blocks
from commands.views.training_ids import TRAINING_FORM, TRAINING_REVIEW
from deploy.local.slack.client import ActingMember, LocalWorkspace, WaitTimeout
from deploy.local.slack.client_types import Message, View

FORM_SECONDS = 60.0
"""For the worker to look at all pictures, and for every other answer that needs no training."""
READY = "is ready"
# How the ends of `commands.views.training_status` read; a test holds them equal.
ENDED_WITHOUT_LORA = (":warning:", ":no_entry_sign:", "Nobody decided in time")


class TrainingNotDone(Exception):
    """No LoRA came of it; the message is one sentence for people."""


@dataclass(frozen=True)
class Trained:
    """The message that says how it went; seconds from the approval, and from the command."""

    message: Message
    training_seconds: float
    seconds: float


def train_by_form(
    workspace: LocalWorkspace,
    member: ActingMember,
    approver: ActingMember,
    channel: str,
    pictures: Sequence[Path],
    values: Mapping[str, Any],
    *,
    caption: str = "",
    advanced: Mapping[str, Any] | None = None,
    timeout_seconds: float = 300,
) -> Trained:
    """Open `/finetune` as the member, fill in `values` (by block id) and the pictures, submit, let the approver press
    Approve, and wait for the LoRA. `caption` is what every picture shows, where the default is not to stay; `advanced`
    are the options behind the toggle, by label.

    The request stands in the training's thread, as where no channel for approvals is set. Raises `TrainingNotDone`.
    """
    began = time.monotonic()
    typed = member.run_command(channel, "/finetune")
    if typed.error:
        raise TrainingNotDone(f"Slack could not hand the command to Easel: {typed.error}.")
    try:
        form = member.wait_for_view(lambda view: view.callback_id == TRAINING_FORM, FORM_SECONDS)
        if advanced:
            assert member.press(form, "Advanced options").ok
            form = member.wait_for_view(lambda view: any(b.label in advanced for b in view.inputs()), FORM_SECONDS)
        review = _checked(workspace, member, form, pictures, {**values, **(advanced or {})})
        known = {message.ts for message in approver.messages(channel)}
        captions = [block.block_id for block in review.inputs() if block.block_id.startswith("caption-")]
        outcome = member.fill_and_submit(review, dict.fromkeys(captions, caption) if caption else {})
        if outcome.errors:
            raise TrainingNotDone(" ".join(outcome.errors.values()))
        name = str(values["name"])
        status = member.wait_for_message(channel, lambda m: m.ts not in known and _is_about(m, name), FORM_SECONDS)
        request = approver.wait_for_message(channel, lambda m: "Approve" in m.buttons, FORM_SECONDS, status.ts)
        approved = time.monotonic()
        assert approver.press(request, "Approve").ok
        ended = member.wait_for_message(channel, lambda m: m.ts == status.ts and _is_over(m), timeout_seconds)
    except WaitTimeout as error:
        raise TrainingNotDone(f"Nothing more was heard of the training: {error}.") from error
    if not ended.says(READY):
        raise TrainingNotDone(" ".join(" ".join(ended.block_texts[1:2]).split()) or ended.text)
    return Trained(ended, time.monotonic() - approved, time.monotonic() - began)


def _checked(
    workspace: LocalWorkspace, member: ActingMember, form: View, pictures: Sequence[Path], values: Mapping[str, Any]
) -> View:
    """The review of a form whose pictures were all accepted."""
    [where, *_] = file_blocks(form.blocks)
    files = [member.upload(path)["id"] for path in pictures]
    workspace.wait_for(
        lambda: all(file.get("mimetype") for file in workspace.files() if file["id"] in files), FORM_SECONDS, "files"
    )
    outcome = member.fill_and_submit(form, {**values, where: files})
    if outcome.errors:
        raise TrainingNotDone(" ".join(outcome.errors.values()))
    view = member.wait_for_view(
        lambda view: (
            view.callback_id in {TRAINING_FORM, TRAINING_REVIEW} and view.raw.get("hash") != form.raw.get("hash")
        ),
        FORM_SECONDS,
    )
    if view.callback_id != TRAINING_REVIEW:
        raise TrainingNotDone(" ".join(" ".join(view.block_texts[:2]).split()))
    return view


def _is_about(message: Message, name: str) -> bool:
    return f"Training `{name}`" in " ".join(message.block_texts)


def _is_over(message: Message) -> bool:
    text = " ".join(message.block_texts)
    return READY in text or any(end in text for end in ENDED_WITHOUT_LORA)
