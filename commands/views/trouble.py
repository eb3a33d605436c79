"""Something that went wrong, as a message to one person."""

from __future__ import annotations

from commands.sentences import Trouble, trouble_text
from commands.views.blocks import Message, message, section


def trouble_message(trouble: Trouble) -> Message:
    """The sentence, the next step, the reference."""
    text = trouble_text(trouble)
    return message(text, [section(f":warning: {text}")])
