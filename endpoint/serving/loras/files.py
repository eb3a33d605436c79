"""LoRA files on disk: fetched once, checked whenever they are read, bounded in bytes, the least recently used go."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from endpoint.contract import LoraWeights
from endpoint.serving.loras.errors import LoraUnfetched, LoraUnusable
from endpoint.serving.loras.source import LoraSource
from endpoint.serving.picture_store import StorageError

log = logging.getLogger(__name__)

_SUFFIX, _PART = ".safetensors", ".part"
_TRIES = 3
_FIRST_WAIT_SECONDS = 0.2
_STALE_PART_SECONDS = 3_600
_CHUNK = 1 << 20


@dataclass(frozen=True)
class LoraFile:
    """A file whose size and SHA-256 have just been seen to be right. `fetch_seconds`: None where it was there."""

    path: Path
    fetch_seconds: float | None


class LoraFiles:
    """A directory of LoRA files. Safe to use from several threads, and to share with other processes.

    A file is stored under its place in S3 and its SHA-256, so knowing a checksum alone opens nobody else's file.
    `max_bytes` bounds what this process has put or found there; a file that is being read stays.
    """

    def __init__(
        self, directory: Path, max_bytes: int, source: LoraSource, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._source = source
        self._sleep = sleep
        self._room = threading.Condition()
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._readers: Counter[str] = Counter()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._adopt()

    @property
    def bytes(self) -> int:
        """What is kept, and what is being fetched."""
        with self._room:
            return sum(self._sizes.values())

    @contextlib.contextmanager
    def opened(self, wanted: LoraWeights) -> Iterator[LoraFile]:
        """The file, fetched if need be, and not evicted before the block ends.

        Raises `LoraUnusable` (or `LoraMissing`) where it isn't what the request says, `LoraUnfetched` where S3 or the
        disk fails.
        """
        if wanted.bytes > self._max_bytes:
            raise LoraUnusable(
                f"it has {wanted.bytes} bytes, and this endpoint takes at most {self._max_bytes}; use a smaller one"
            )
        name = _file_name(wanted)
        path = self._directory / name
        with self._room:
            self._readers[name] += 1
        try:
            yield LoraFile(path, None if self._is_intact(path, wanted) else self._fetch(path, wanted))
        finally:
            with self._room:
                self._readers -= Counter([name])
                self._room.notify_all()

    def _is_intact(self, path: Path, wanted: LoraWeights) -> bool:
        try:
            size, digest = path.stat().st_size, hashlib.sha256()
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            os.utime(path)  # so that a later process finds the order of use
        except FileNotFoundError:
            self._forget(path.name)
            return False
        except OSError:
            log.warning("a kept LoRA can't be read: it is fetched again", extra={"sha256": wanted.sha256})
            return False
        if size == wanted.bytes and digest.hexdigest() == wanted.sha256:
            with self._room:
                self._sizes[path.name] = size
                self._sizes.move_to_end(path.name)
            return True
        log.warning("a kept LoRA is damaged: it is fetched again", extra={"sha256": wanted.sha256})
        return False

    def _fetch(self, path: Path, wanted: LoraWeights) -> float:
        """Seconds that it took."""
        started = time.monotonic()
        self._make_room(path.name, wanted.bytes)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_PART}")
        try:
            for attempt in range(_TRIES):
                try:
                    self._download(part, wanted)
                    break
                except StorageError as error:
                    if attempt == _TRIES - 1:
                        raise LoraUnfetched(str(error)) from error
                    self._sleep(_FIRST_WAIT_SECONDS * 2**attempt)
            part.replace(path)
        except BaseException as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            self._remove(path.name)
            if isinstance(error, OSError):
                raise LoraUnfetched("the disk did not take the file") from error
            raise
        return time.monotonic() - started

    def _download(self, part: Path, wanted: LoraWeights) -> None:
        digest, size = hashlib.sha256(), 0
        with part.open("wb") as file:
            for piece in self._source.stream(wanted.bucket, wanted.key):
                size += len(piece)
                if size > wanted.bytes:
                    break
                digest.update(piece)
                file.write(piece)
        if size != wanted.bytes:
            raise LoraUnusable("its file in S3 has another size than the one that was registered; import it again")
        if digest.hexdigest() != wanted.sha256:
            raise LoraUnusable("its file in S3 is not the one that was registered (checksum); import it again")

    def _make_room(self, name: str, size: int) -> None:
        """Count `size` bytes for `name`, evicting others; waits while too many are being read."""
        with self._room:
            self._sizes.pop(name, None)
            while sum(self._sizes.values()) + size > self._max_bytes:
                oldest = next((each for each in self._sizes if not self._readers[each]), None)
                if oldest is None:
                    self._room.wait()
                else:
                    self._sizes.pop(oldest)
                    (self._directory / oldest).unlink(missing_ok=True)
            self._sizes[name] = size

    def _forget(self, name: str) -> None:
        with self._room:
            self._sizes.pop(name, None)
            self._room.notify_all()

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._directory / name).unlink(missing_ok=True)
        self._forget(name)

    def _adopt(self) -> None:
        """Files of an earlier process count as kept, in the order of their use; what it left half done goes."""
        kept: list[tuple[float, str, int]] = []
        for path in self._directory.iterdir():
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                if path.name.endswith(_SUFFIX):
                    kept.append((facts.st_mtime, path.name, facts.st_size))
                elif path.name.endswith(_PART) and time.time() - facts.st_mtime > _STALE_PART_SECONDS:
                    path.unlink()
        self._sizes.update((name, size) for _, name, size in sorted(kept))
        self._make_room("", 0)
        del self._sizes[""]


def _file_name(wanted: LoraWeights) -> str:
    place = hashlib.sha256(f"{wanted.bucket}/{wanted.key}".encode()).hexdigest()
    return f"{place[:16]}-{wanted.sha256}{_SUFFIX}"
