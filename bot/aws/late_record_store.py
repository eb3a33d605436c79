"""A record store that is made when it is first used: most commands are acknowledged without a look at the table."""

from __future__ import annotations

from collections.abc import Callable

from bot.ports.records import Json, Record, RecordStore


class LateRecordStore:
    """Implements `bot.ports.records.RecordStore`."""

    def __init__(self, make: Callable[[], RecordStore]) -> None:
        self._make = make
        self._made: RecordStore | None = None

    def get(self, key: str) -> Record | None:
        """The newest version, or None."""
        return self._store().get(key)

    def create(self, key: str, data: Json, expires_at: int) -> bool:
        """Store version 1; False where the key exists."""
        return self._store().create(key, data, expires_at)

    def replace(self, key: str, data: Json, version: int, expires_at: int) -> bool:
        """Store the next version; False where another one is stored."""
        return self._store().replace(key, data, version, expires_at)

    def _store(self) -> RecordStore:
        if self._made is None:
            self._made = self._make()
        return self._made
