"""The form that asks why a training is denied."""

from __future__ import annotations

from commands.views.blocks import Block
from commands.views.inputs import given_text, labelled, text_input
from commands.views.training_form import FormPlace, modal
from commands.views.training_ids import TRAINING_DENIAL

REASON = "reason"
MAX_REASON_CHARS = 300


def denial_form(place: FormPlace) -> Block:
    """Asks for the reason; `place` has the training's id as its key, and says below which message Deny was pressed."""
    element = text_input("", "The logo is not ours to use.", MAX_REASON_CHARS, is_multiline=True)
    blocks: list[Block | None] = [
        labelled(REASON, "Why not?", element, "Whoever asked will read this, with your name.")
    ]
    return modal(TRAINING_DENIAL, place.to_metadata(), blocks, title="Deny this training", submit="Deny")


def read_reason(state: dict[str, object]) -> str:
    """What is filled in."""
    return given_text(state, REASON).strip()
