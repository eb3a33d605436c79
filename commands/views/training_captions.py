"""The captions of a review, as they are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from commands.views.inputs import given_text

CAPTION = "caption-"
"""Block ids, followed by the picture's id."""


def read_captions(state: Mapping[str, Any]) -> dict[str, str]:
    """The captions that are filled in, by picture."""
    captions = {
        block_id.removeprefix(CAPTION): given_text(state, block_id).strip()
        for block_id in state
        if block_id.startswith(CAPTION)
    }
    return {picture_id: caption for picture_id, caption in captions.items() if caption}
