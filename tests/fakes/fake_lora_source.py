"""LoRA files in memory in place of S3."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from endpoint.contract import LoraWeights
from endpoint.serving.loras.errors import LoraMissing
from endpoint.serving.picture_store import StorageError
from tests.fakes.random_loras import lora_weights


class FakeLoraSource:
    """`files` by `bucket/key`; `fetched` counts how often each was asked for.

    Nothing is given while `open` is cleared. `failures`: how many of the next tries break off halfway.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: Counter[str] = Counter()
        self.failures = 0
        self.open = threading.Event()
        self.open.set()
        self._lock = threading.Lock()

    def put(self, path: Path, weight: float = 1.0, **changes: object) -> LoraWeights:
        """Store a file and say it as a request does."""
        lora = lora_weights(path, weight, **changes)
        self.files[f"{lora.bucket}/{lora.key}"] = path.read_bytes()
        return lora

    def put_bytes(self, name: str, content: bytes, folder: Path) -> LoraWeights:
        """The same for any content."""
        path = folder / f"{name}.safetensors"
        path.write_bytes(content)
        return self.put(path)

    def stream(self, bucket: str, key: str) -> Iterator[bytes]:
        with self._lock:
            self.fetched[key] += 1
            fails = self.failures > 0
            self.failures -= fails
        self.open.wait(30)
        content = self.files.get(f"{bucket}/{key}")
        if content is None:
            raise LoraMissing
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]
            if fails:
                raise StorageError("could not read a LoRA")
