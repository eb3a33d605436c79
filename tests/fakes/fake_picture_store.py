"""A picture store in memory that can be made to fail."""

from __future__ import annotations

import threading
import time

from endpoint.contract import OutputLocation
from endpoint.serving.picture_store import StorageError


class FakePictureStore:
    """`files` by `bucket/key`; `history` keeps every version of a file. Calls take `seconds`, storing a
    file named in `slow` takes as long as that says."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}
        self.history: list[tuple[str, bytes]] = []
        self.refuses: set[str] = set()
        self.seconds = 0.0
        self.slow: dict[str, float] = {}
        self._lock = threading.Lock()

    def put(self, output: OutputLocation, name: str, body: bytes, content_type: str) -> None:
        time.sleep(self.slow.get(name, self.seconds))
        if name in self.refuses:
            raise StorageError(f"could not store {name}")
        key = f"{output.bucket}/{output.prefix}{name}"
        with self._lock:
            self.files[key] = body
            self.content_types[key] = content_type
            self.history.append((name, body))

    def exists(self, output: OutputLocation, name: str) -> bool:
        time.sleep(self.seconds)
        if name in self.refuses:
            raise StorageError(f"could not look for {name}")
        return f"{output.bucket}/{output.prefix}{name}" in self.files
