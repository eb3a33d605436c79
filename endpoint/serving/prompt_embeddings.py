"""Text encodings that were just used, kept: a team repeats its prompts, and the empty prompt is in almost every job."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch

from endpoint.serving.loras.low_rank import Key, LoraSet
from endpoint.serving.loras.naming import Part


class PromptEmbeddings:
    """Least recently used first out; `encode` runs once a text and set of text encoder LoRAs. For one thread."""

    def __init__(self, encode: Callable[[str, LoraSet | None], torch.Tensor], entries: int) -> None:
        self._encode = encode
        self._entries = entries
        self._kept: OrderedDict[tuple[str, Key], torch.Tensor] = OrderedDict()

    def of(self, text: str, loras: LoraSet | None = None) -> torch.Tensor:
        """The encoding, 1 × tokens × width."""
        # LoRAs that leave the text encoder alone share the encoding of none.
        key = (text, loras.keys.get(Part.TEXT_ENCODER, ()) if loras else ())
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = self._encode(text, loras)
            if len(self._kept) > self._entries:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return kept
