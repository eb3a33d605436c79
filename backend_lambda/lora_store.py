"""What the registry of LoRAs needs from the outside. The adapters are in `backend_lambda.aws`, joined in `wiring`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backend_lambda.lora_record import DoomedFiles, LoraRecord, Registration


class LoraOvertaken(Exception):
    """Somebody else wrote one of the names first: nothing was written, and reading again tells."""


@dataclass(frozen=True)
class LoraPage:
    """Some names, in their order. `after` continues behind the last one; None where there are no more."""

    records: list[LoraRecord]
    after: str | None


class LoraStore(Protocol):
    """Every LoRA of every tenant. Reads see every write that came before, but for `page`, which may lag a second.

    Writes raise `ports.StoreBusy` where others are at the same items for too long; then nothing was changed.
    """

    def get(self, tenant: str, name: str) -> LoraRecord:
        """What there is under that name: a record of revision 0 where it was never used."""

    def write(
        self, *records: LoraRecord, registration: Registration | None = None, doomed: DoomedFiles | None = None
    ) -> None:
        """Put all of them in one step, where each name is still at its record's revision, which then counts one more,
        and where the training of `registration` has none. Raises `LoraOvertaken`.
        """

    def registered(self, tenant: str, training_id: str) -> Registration | None:
        """What was written for the training."""

    def page(self, tenant: str, *, limit: int, after: str | None) -> LoraPage:
        """The tenant's listed LoRAs by name, behind the name `after`. Fewer than `limit` may come although more
        follow: `after` tells.
        """

    def doomed(self, tenant: str) -> list[DoomedFiles]:
        """What is still to be deleted."""

    def forget(self, doomed: DoomedFiles) -> None:
        """It is deleted."""


@dataclass(frozen=True)
class UploadLink:
    """A presigned PUT, good for `url` with exactly these headers until `expires_at`."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


@dataclass(frozen=True)
class StoredFile:
    """An object as it is now; `tag` changes whenever its content does."""

    bytes: int
    tag: str


class FileChanged(Exception):
    """The object is not the one any more that was looked at, or is gone."""


class LoraFiles(Protocol):
    """The pictures bucket, as far as LoRAs are kept in it, by key."""

    @property
    def bucket(self) -> str:
        """Its name."""

    def upload_link(self, key: str, bytes: int, now: datetime) -> UploadLink:
        """Lets anyone who has it put an object of exactly so many bytes there, for a short while."""

    def find(self, key: str) -> StoredFile | None:
        """The object, or None."""

    def read(self, key: str, file: StoredFile, start: int, count: int) -> bytes:
        """So many bytes from `start` on, fewer at the end. Raises `FileChanged`."""

    def copy(self, source: str, file: StoredFile, target: str) -> str:
        """Copies the object within the bucket. Returns the SHA-256 of what was copied. Raises `FileChanged`."""

    def delete(self, keys: Collection[str]) -> None:
        """Deletes those that there are."""

    def link(self, key: str) -> str:
        """A presigned URL with which anyone may fetch the object for a short while."""
