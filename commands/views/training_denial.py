"""The form that asks why a training is denied."""

from __future__ import annotations

import json

from commands.views.blocks import Block
from commands.views.inputs import given_text, labelled, text_input
from commands.views.training_form import FormPlace, modal
from commands.views.training_ids import TRAINING_DENIAL

REASON = "reason"
MAX_REASON_CHARS = 300


def denial_form(training_id: str, place: FormPlace) -> Block:
    """Asks for the reason; `place` says below which message Deny was pressed."""
    element = text_input("", "The logo is not ours to use.", MAX_REASON_CHARS, is_multiline=True)
    blocks: list[Block | None] = [
        labelled(REASON, "Why not?", element, "Whoever asked will read this, with your name.")
    ]
    metadata = json.dumps({"training_id": training_id, "place": place.to_metadata()})
    return modal(TRAINING_DENIAL, metadata, blocks, title="Deny this training", submit="Deny")


def read_denial_place(metadata: str) -> tuple[str, FormPlace]:
    """The training and the message; raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    document = json.loads(metadata)
    return document["training_id"], FormPlace.from_metadata(document["place"])


def read_reason(state: dict[str, object]) -> str:
    """What is filled in."""
    return given_text(state, REASON).strip()
