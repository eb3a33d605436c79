"""Where a job's files go."""

from __future__ import annotations

from typing import Protocol

from endpoint.contract import OutputLocation


class StorageError(Exception):
    """The store didn't do it, after its own retries."""


class PictureStore(Protocol):
    """Files below a job's prefix. Blocking; safe to use from several threads."""

    def put(self, output: OutputLocation, name: str, body: bytes, content_type: str) -> None:
        """Create or replace. Raises `StorageError`."""

    def exists(self, output: OutputLocation, name: str) -> bool:
        """Whether the file is there. Raises `StorageError` when that can't be found out."""
