"""Where LoRA files come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class LoraSource(Protocol):
    """Blocking; safe to use from several threads."""

    def stream(self, bucket: str, key: str) -> Iterator[bytes]:
        """The file piece by piece. Raises `LoraMissing` where there is none, `StorageError` where that fails."""
