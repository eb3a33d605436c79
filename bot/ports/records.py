"""What the bot remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A stored JSON object; `version` grows by one with every change."""

    data: Json
    version: int


class RecordStore(Protocol):
    """JSON objects under text keys, changed one at a time: a write on an outdated version does nothing.

    `expires_at` is in Unix seconds; some time after it the record may be gone.
    """

    def get(self, key: str) -> Record | None:
        """The newest version, or None."""
        ...

    def create(self, key: str, data: Json, expires_at: int) -> bool:
        """Store version 1; False (and nothing happens) where the key exists."""
        ...

    def replace(self, key: str, data: Json, version: int, expires_at: int) -> bool:
        """Store `version + 1` in place of `version`; False (and nothing happens) where another version is stored."""
        ...
