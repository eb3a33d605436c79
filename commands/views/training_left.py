"""What is written to somebody who has closed the form while something was under way."""

from __future__ import annotations

from collections.abc import Sequence

from backend_lambda.contract.training_limits import MIN_TRAINING_PICTURES
from commands.trouble import Trouble, code, trouble_text
from commands.views.admin_change import IN_WORKSPACE
from commands.views.blocks import Block, Message, actions, button, message, section
from commands.views.training_ids import GO_ON
from commands.views.training_words import pictures_count

LISTED = 10


def checked_message(name: str, accepted: int, faults: Sequence[str], form_key: str, workspace: str) -> Message:
    """The pictures are checked; the form waits behind the button."""
    head = f"The pictures for {code(name)} are checked: {pictures_count(accepted)} accepted"
    text = f"{head}, {len(faults)} can't be used." if faults else f"{head}."
    listed = [f"• {sentence}" for sentence in faults[:LISTED]]
    missing = MIN_TRAINING_PICTURES - accepted
    if missing > 0:
        listed.append(f"Add at least {missing} more before you can ask for approval.")
    return message(text, [section("\n".join([f":seedling: {text}", *listed])), _go_on(form_key, workspace)])


def trouble_left_message(trouble: Trouble, form_key: str = "", workspace: str = "") -> Message:
    """Something went wrong; what was filled in is kept behind the button."""
    text = trouble_text(trouble)
    return message(text, [section(f":warning: {text}"), _go_on(form_key, workspace) if form_key else None])


def _go_on(form_key: str, workspace: str) -> Block | None:
    return actions([button("Go on", GO_ON, form_key, style="primary")], f"{IN_WORKSPACE}{workspace}")
