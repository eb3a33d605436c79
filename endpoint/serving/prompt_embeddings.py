"""Text encodings that were just used, kept: a team repeats its prompts, and the empty prompt is in almost every job."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch


class PromptEmbeddings:
    """Least recently used first out; `encode` runs once a text. For one thread."""

    def __init__(self, encode: Callable[[str], torch.Tensor], entries: int) -> None:
        self._encode = encode
        self._entries = entries
        self._kept: OrderedDict[str, torch.Tensor] = OrderedDict()

    def of(self, text: str) -> torch.Tensor:
        """The encoding, 1 × tokens × width."""
        kept = self._kept.get(text)
        if kept is None:
            kept = self._kept[text] = self._encode(text)
            if len(self._kept) > self._entries:
                self._kept.popitem(last=False)
        self._kept.move_to_end(text)
        return kept
