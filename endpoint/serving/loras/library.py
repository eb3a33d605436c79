"""Brings the LoRAs that a request names into memory, beside the engine's work, and keeps those that were just used."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from endpoint.contract import LoraWeights
from endpoint.serving.errors import lora_unfetched, lora_unusable
from endpoint.serving.loras.errors import LoraUnfetched, LoraUnusable
from endpoint.serving.loras.files import LoraFiles

log = logging.getLogger(__name__)

# They wait for S3 most of the time; more would take the processor from the engine when they don't.
_THREADS = 8
_LOOK_SECONDS = 0.05

Identity = tuple[str, str, str, int]
"""Bucket, key, SHA-256 and bytes."""


class Sized(Protocol):
    """Something in memory that knows how much it takes."""

    @property
    def bytes(self) -> int: ...


L = TypeVar("L", bound=Sized)


class FoundIn(StrEnum):
    """Where a LoRA was when it was asked for."""

    MEMORY = "memory"
    DISK = "disk"
    S3 = "s3"


@dataclass(frozen=True)
class ChosenLora(Generic[L]):
    """A LoRA in memory, as a request names and weighs it."""

    name: str
    weight: float
    lora: L


@dataclass(eq=False)
class _Entry(Generic[L]):
    """A LoRA that is being loaded or has been; `users` are requests that hold it."""

    loading: Future[L] = field(default_factory=Future)
    users: int = 0
    found_in: FoundIn = FoundIn.DISK
    fetch_seconds: float = 0.0


class Loan(Generic[L]):
    """What a request has borrowed; nothing of it is dropped before it is given back."""

    def __init__(self, chosen: Sequence[ChosenLora[L]], give_back: Callable[[], None]) -> None:
        self.chosen = chosen
        self._give_back = give_back
        self._lock = threading.Lock()
        self._given_back = False

    def give_back(self) -> None:
        """From any thread, any number of times."""
        with self._lock:
            if self._given_back:
                return
            self._given_back = True
        self._give_back()


class LoraLibrary(Generic[L]):
    """LoRAs by where they are and what they are, the least recently used dropped first once they exceed `max_bytes`.

    Those that running requests hold are never dropped: a request whose LoRAs don't fit beside these waits for its turn.
    What it weighs and stacks for its pictures comes on top. `read` makes a file into what the engine uses; it runs on a
    thread of the library's, once a file however many requests wait for it.
    """

    def __init__(self, files: LoraFiles, read: Callable[[Path, str], L], max_bytes: int) -> None:
        self._files = files
        self._read = read
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lora")
        self._lock = threading.Lock()
        self._entries: OrderedDict[Identity, _Entry[L]] = OrderedDict()
        self._turn = asyncio.Lock()

    @property
    def bytes(self) -> int:
        """What loaded LoRAs occupy in memory."""
        with self._lock:
            return sum(_bytes(entry) for entry in self._entries.values())

    async def borrow(self, wanted: Sequence[LoraWeights], job_id: str) -> Loan[L]:
        """Raises `InvocationFailed`: `lora_unusable` names the LoRA that is at fault, `storage_failed` is passing."""
        started = time.monotonic()
        entries: list[_Entry[L]] = []
        try:
            loaded = await self._admit(wanted, entries)
            chosen = [
                ChosenLora(each.name, each.weight, lora)
                for each, lora in zip(wanted, await self._all(wanted, entries), strict=True)
            ]
            self._check_size(wanted, chosen)
        except BaseException:
            self._give_back(entries)
            raise
        log.info(
            "loras ready",
            extra={
                "job_id": job_id,
                "loras": [
                    {
                        "name": each.name,
                        "sha256": each.sha256,
                        "weight": each.weight,
                        "found_in": FoundIn.MEMORY if at_once else entry.found_in,
                        "fetch_seconds": 0.0 if at_once else entry.fetch_seconds,
                    }
                    for each, entry, at_once in zip(wanted, entries, loaded, strict=True)
                ],
                "seconds": round(time.monotonic() - started, 3),
            },
        )
        return Loan(chosen, lambda: self._give_back(entries))

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _all(self, wanted: Sequence[LoraWeights], entries: Sequence[_Entry[L]]) -> list[L]:
        # Shielded: another request may be waiting for the same file.
        waiting = [asyncio.shield(asyncio.wrap_future(entry.loading)) for entry in entries]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        loras: list[L] = []
        for each, result in zip(wanted, results, strict=True):
            if isinstance(result, LoraUnusable):
                raise lora_unusable(each.name, str(result)) from result
            if isinstance(result, LoraUnfetched):
                failure = lora_unfetched(each.name)
                log.error("a lora could not be fetched", exc_info=result, extra={"reference": failure.reference})
                raise failure from result
            if isinstance(result, BaseException):
                raise result
            loras.append(result)
        return loras

    def _check_size(self, wanted: Sequence[LoraWeights], chosen: Sequence[ChosenLora[L]]) -> None:
        total = 0
        for each, own in zip(wanted, chosen, strict=True):
            total += own.lora.bytes
            if total > self._max_bytes:
                raise lora_unusable(
                    each.name,
                    f"with it, the request's LoRAs need {total} bytes of memory, and this endpoint has "
                    f"{self._max_bytes} for them; use fewer or smaller ones",
                )

    async def _admit(self, wanted: Sequence[LoraWeights], entries: list[_Entry[L]]) -> list[bool]:
        """Fills `entries`, held for the caller, in its turn; whether each was loaded already."""
        async with self._turn:
            # Room comes on the engine's thread, which an event of this loop would have to be told from.
            while (loaded := self._take_all(wanted, entries)) is None:  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_SECONDS)
        return loaded

    def _take_all(self, wanted: Sequence[LoraWeights], entries: list[_Entry[L]]) -> list[bool] | None:
        """None where there is no room beside what others hold: all or nothing, so that nobody waits for one another."""
        loaded: list[bool] = []
        with self._lock:
            held = {identity: entry for identity, entry in self._entries.items() if entry.users}
            new = {_identity(each) for each in wanted} - held.keys()
            needed = sum(_bytes(entry, identity) for identity, entry in held.items()) + sum(
                _bytes(self._entries.get(identity), identity) for identity in new
            )
            if held and needed > self._max_bytes:
                return None
            for each in wanted:
                identity = _identity(each)
                entry = self._entries.get(identity)
                loaded.append(entry is not None and entry.loading.done())
                if entry is None:
                    entry = self._entries[identity] = _Entry()
                    self._threads.submit(self._load, identity, each, entry)
                entry.users += 1
                self._entries.move_to_end(identity)
                entries.append(entry)
        return loaded

    def _load(self, identity: Identity, wanted: LoraWeights, entry: _Entry[L]) -> None:
        started = time.monotonic()
        try:
            with self._files.opened(wanted) as file:
                fetched = file.fetch_seconds
                lora = self._read(file.path, wanted.sha256)
        except BaseException as error:
            with self._lock:
                # The next request tries again.
                self._entries.pop(identity, None)
            entry.loading.set_exception(error)
            return
        entry.found_in = FoundIn.DISK if fetched is None else FoundIn.S3
        entry.fetch_seconds = round(fetched or 0.0, 3)
        log.info(
            "lora loaded",
            extra={
                "sha256": wanted.sha256,
                "bytes": wanted.bytes,
                "found_in": entry.found_in,
                "fetch_seconds": entry.fetch_seconds,
                "read_seconds": round(time.monotonic() - started - (fetched or 0.0), 3),
            },
        )
        entry.loading.set_result(lora)
        self._trim()

    def _give_back(self, entries: Sequence[_Entry[L]]) -> None:
        with self._lock:
            for entry in entries:
                entry.users -= 1
        self._trim()

    def _trim(self) -> None:
        with self._lock:
            excess = sum(_bytes(entry) for entry in self._entries.values()) - self._max_bytes
            for identity, entry in list(self._entries.items()):
                if excess <= 0:
                    return
                if not entry.users and entry.loading.done():
                    excess -= _bytes(entry)
                    del self._entries[identity]


def _identity(wanted: LoraWeights) -> Identity:
    return (wanted.bucket, wanted.key, wanted.sha256, wanted.bytes)


def _bytes(entry: _Entry[L] | None, identity: Identity | None = None) -> int:
    """In memory; of what isn't loaded yet, the file's size where `identity` is given."""
    if entry is None or not entry.loading.done() or entry.loading.exception():
        return identity[3] if identity else 0
    return entry.loading.result().bytes
