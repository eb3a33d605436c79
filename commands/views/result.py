"""The finished message: the pictures, how they came about, and what can be done with them."""

from __future__ import annotations

import re
from dataclasses import replace

from commands.grammar.clean import escape
from commands.views.action_ids import DELETE, EDIT, PICTURE, REDO
from commands.views.blocks import (
    Message,
    actions,
    button,
    confirm_dialog,
    context,
    message,
    picture,
    prompt_section,
    quoted,
)
from commands.views.settings import FinishedSettings, finished_settings
from commands.views.status import duration

SLUG_CHARS = 60


def result(
    settings: FinishedSettings, member: str, job_id: str, file_id: str | None, seconds: float, model_seconds: float
) -> Message:
    """The pictures of a job. Without a file id the pictures stand beside this message, in its thread.

    `seconds` from the request to the pictures, of which the model worked `model_seconds`.
    """
    return message(
        f"{quoted(settings.prompt)} – {_count(settings)} for <@{escape(member)}>",
        [
            prompt_section(settings.prompt),
            picture(file_id, alt_text(settings)) if file_id else None,
            None if file_id else context("The pictures are in this thread."),
            context(
                f"<@{escape(member)}>", " · ".join(finished_settings(settings)), _time_taken(seconds, model_seconds)
            ),
            actions(result_buttons(settings, job_id)),
        ],
    )


def result_buttons(settings: FinishedSettings, job_id: str) -> list[dict[str, object]]:
    """One button a picture where there are several, then Redo, Edit and Delete."""
    count = len(settings.seeds)
    numbers = [button(str(number), f"{PICTURE}{number}", job_id) for number in range(1, count + 1)] if count > 1 else []
    return [
        *numbers,
        button("Redo", REDO, job_id),
        button("Edit", EDIT, job_id),
        button(
            "Delete",
            DELETE,
            job_id,
            style="danger",
            confirm=confirm_dialog(
                "Delete this?",
                "The pictures are deleted from Slack and from your AWS account. This can't be undone.",
                "Delete",
                "Keep",
            ),
        ),
    ]


def single_picture(settings: FinishedSettings, index: int, file_id: str | None, member: str) -> Message:
    """Picture `index` (from 0) of a job in full, posted for `member`."""
    one = replace(settings, seeds=[settings.seeds[index]])
    return message(
        f"Picture {index + 1}: {quoted(settings.prompt)}",
        [
            picture(file_id, alt_text(one)) if file_id else None,
            context(f"Picture {index + 1} for <@{escape(member)}>", " · ".join(finished_settings(one))),
        ],
    )


def cancelled(prompt: str, member: str) -> Message:
    """Somebody stopped it."""
    return message(
        f"Cancelled: {quoted(prompt)}",
        [prompt_section(prompt), context(f":no_entry_sign: Cancelled · <@{escape(member)}>")],
    )


def deleted(deleted_by: str) -> Message:
    """What stays of a deleted result: nothing of the picture, nothing of the prompt."""
    text = f":wastebasket: Deleted by <@{escape(deleted_by)}>"
    return message("A picture was deleted.", [context(text)])


def alt_text(settings: FinishedSettings) -> str:
    """What a screen reader says."""
    count = _count(settings)
    return f"{count[0].upper()}{count[1:]} painted from the words: {settings.prompt}"


def file_name(prompt: str, seed: int, picture_number: int | None = None) -> str:
    """A PNG's name that says what it is: `a-red-boat-seed-7.png`."""
    slug = re.sub(r"[\W_]+", "-", prompt.lower()).strip("-")[:SLUG_CHARS].rstrip("-") or "picture"
    number = f"-{picture_number}" if picture_number is not None else ""
    return f"{slug}{number}-seed-{seed}.png"


def _count(settings: FinishedSettings) -> str:
    count = len(settings.seeds)
    return "a picture" if count == 1 else f"{count} pictures"


def _time_taken(seconds: float, model_seconds: float) -> str:
    return f"{_short(seconds)}, of which painting {_short(model_seconds)}"


def _short(seconds: float) -> str:
    return f"{max(0.0, seconds):.1f} s" if seconds < 60 else duration(seconds)
