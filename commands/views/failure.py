"""The message that says that it did not work: one sentence, the next step, a reference, another try."""

from __future__ import annotations

from commands.grammar.clean import escape
from commands.sentences import Trouble, code
from commands.views.action_ids import RETRY
from commands.views.blocks import Message, actions, button, context, message, prompt_section, quoted, section


def failure(prompt: str, member: str, trouble: Trouble, request_key: str) -> Message:
    """A request that ended without pictures."""
    sentence = f":warning: {trouble.sentence}"
    return message(
        f"That did not work: {quoted(prompt)}",
        [
            prompt_section(prompt) if prompt else None,
            section(f"{sentence}\n{trouble.next_step}" if trouble.next_step else sentence),
            context(f"<@{escape(member)}>", f"Reference {code(trouble.reference)}" if trouble.reference else ""),
            actions([button("Try again", RETRY, request_key)]) if trouble.can_retry else None,
        ],
    )
