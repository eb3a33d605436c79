"""The placeholder: what is being painted, and how far it is."""

from __future__ import annotations

from commands.grammar.clean import escape
from commands.order import PaintOrder
from commands.views.action_ids import CANCEL
from commands.views.blocks import Message, actions, button, context, message, prompt_section, quoted, section
from commands.views.settings import named_settings

BAR_CELLS = 10


def queued_status() -> str:
    """Nobody has looked at it yet."""
    return ":hourglass_flowing_sand: Queued"


def waiting_status(is_starting: bool) -> str:
    """The model has it; `is_starting`: no instance is up, so waking one comes first."""
    if is_starting:
        return ":zzz: Waiting for the GPU. It was asleep; waking it takes about five minutes."
    return ":hourglass_flowing_sand: Waiting for the GPU"


def painting_status(step: int, steps: int, elapsed_seconds: float) -> str:
    """`step` of `steps` are done, `elapsed_seconds` after it was asked for."""
    share = min(1.0, max(0.0, step / steps)) if steps > 0 else 0.0
    done = int(share * BAR_CELLS)
    bar = "▰" * done + "▱" * (BAR_CELLS - done)
    return f":art: Painting {bar} {int(share * 100)} % · {duration(elapsed_seconds)}"


def posting_status() -> str:
    """The pictures are there and on their way to Slack."""
    return ":outbox_tray: Posting"


def placeholder(order: PaintOrder, member: str, status: str, job_id: str | None = None) -> Message:
    """The message that stands for pictures to come. With a job there is something to cancel."""
    buttons = [button("Cancel", CANCEL, job_id)] if job_id else []
    return message(
        f"{_without_emoji(status)}: {quoted(order.prompt)}",
        [
            prompt_section(order.prompt),
            section(status),
            context(f"<@{escape(member)}>", " · ".join(named_settings(order))),
            actions(buttons),
        ],
    )


def duration(seconds: float) -> str:
    """`12 s`, `3 min 5 s`, `2 h 3 min`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60} min"


def _without_emoji(status: str) -> str:
    return status.partition(": ")[2] if status.startswith(":") else status
