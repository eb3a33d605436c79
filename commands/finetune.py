"""`/finetune`: train a LoRA on pictures of one's own."""

from __future__ import annotations

from commands.command import Command, OpenTrainingForm, Plan, ShowHelp, asks_for_help

NAME = "/finetune"


def plan(text: str) -> Plan:
    """What to do about `/finetune <text>`."""
    return ShowHelp() if asks_for_help(text) or text.strip() else OpenTrainingForm()


FINETUNE = Command(
    name=NAME,
    summary="Train a style or a subject on your own pictures",
    options=(),
    plan=plan,
    examples=(),
    is_prompt_taken=False,
)
