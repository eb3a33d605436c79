"""What someone may still use: `/imagine limits`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.sentences_access import amount_left, limit_name, limit_owner
from commands.views.access_words import models_text, pixels_text
from commands.views.blocks import Message, context, message, section
from commands.views.moments import moment

if TYPE_CHECKING:
    from backend_lambda.contract.access import Allowance, AllowanceList

BAR_CELLS = 10
MAX_LINES = 30


def limits_message(list_: AllowanceList) -> Message:
    """How much of what is used, until when, and the largest there may be."""
    lines = [_line(allowance) for allowance in list_.allowances[:MAX_LINES]]
    sizes = [
        f"Pictures up to {pixels_text(list_.max_pixels)}" if list_.max_pixels is not None else "",
        f"At most {list_.max_steps} steps" if list_.max_steps is not None else "",
        _models(list_.models),
    ]
    sizes = [size for size in sizes if size]
    more = len(list_.allowances) - len(lines)
    if not lines and not sizes:
        text = "No limits hold for you here."
        return message(text, [section(text)])
    return message(
        "What you may still use here",
        [
            section("*What is left*\n" + "\n".join(lines)) if lines else None,
            section("*At most*\n" + "\n".join(sizes)) if sizes else None,
            context("Failed and cancelled jobs give back what they did not use.", f"{more} more" if more else ""),
        ],
    )


def _models(models: Sequence[str] | None) -> str:
    """None: any."""
    if models is None:
        return ""
    return f"Models: {models_text(models)}" if models else "No model: the lists that hold here have none in common"


def _line(allowance: Allowance) -> str:
    whose = limit_owner(allowance.kind, allowance.id, allowance.each_member)
    share = min(1.0, allowance.used / allowance.most) if allowance.most > 0 else 1.0
    filled = int(share * BAR_CELLS)
    bar = "▰" * filled + "▱" * (BAR_CELLS - filled)
    resets = f", resets {moment(allowance.resets_at)}" if allowance.resets_at is not None else ", frees as jobs end"
    left = amount_left(allowance.name, allowance.used, allowance.most)
    return f"{bar} {whose} {limit_name(allowance.name)}: {left}{resets}"
