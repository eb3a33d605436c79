"""What `@easel …` says: a prompt, or a change to the thread's latest picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from commands.command import Refuse, ShowHelp, asks_for_help
from commands.grammar.clean import clean
from commands.grammar.mistakes import Mistake, PromptMissing
from commands.grammar.options import Value
from commands.grammar.parse import Parsed
from commands.imagine import NAME, read_request, too_long
from commands.order import PaintOrder


@dataclass(frozen=True)
class Said:
    """Words and named options of a mention; words may be empty in a thread."""

    words: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"words": self.words, "values": dict(self.values)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Said:
        """Read what `to_json` wrote."""
        return cls(document["words"], dict(document["values"]))


def plan_mention(text: str, bot_user_id: str | None, in_thread: bool) -> ShowHelp | Said | Refuse:
    """What to do about a message that mentions the bot, or that was sent to it directly."""
    if bot_user_id:
        text = text.replace(f"<@{bot_user_id}>", " ")
    cleaned = clean(text)
    if not cleaned or asks_for_help(cleaned):
        return ShowHelp()
    parsed = read_request(text)
    if isinstance(parsed, tuple):
        return Refuse(parsed)
    if not parsed.prompt and not in_thread:
        return Refuse((PromptMissing(NAME),))
    return _said(parsed)


def _said(parsed: Parsed) -> Said:
    return Said(parsed.prompt, parsed.values)


def order_of(said: Said, latest: PaintOrder | None) -> PaintOrder | tuple[Mistake, ...]:
    """What is to be painted, starting from the thread's latest order (None: there is none).

    Only what is named changes: the seed stays too, so that the picture stays comparable. Words are a refinement where
    `commands.words.refine` knows them as one, else they replace the prompt.
    """
    if latest is None:
        if not said.words:
            return (PromptMissing(NAME),)
        return PaintOrder.from_values(said.words, said.values)
    # Refinements are the worker's business; the acknowledging function never pays for importing them.
    from commands.words.refine import Wording, refine

    order = latest
    if said.words:
        wording = refine(Wording(latest.prompt, latest.negative_prompt or ""), said.words)
        if wording is None:
            wording = Wording(said.words, latest.negative_prompt or "")
        order = replace(order, prompt=wording.prompt, negative_prompt=wording.negative_prompt or None)
    order = order.changed(said.values)
    return too_long(order.prompt, order.negative_prompt or "") or order
