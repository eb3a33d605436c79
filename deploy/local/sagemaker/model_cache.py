"""Models from S3 on disk, downloaded once for as long as they don't change."""

from __future__ import annotations

import hashlib
import shutil
import threading
from pathlib import Path, PurePosixPath
from typing import Any


class ModelNotFound(Exception):
    """There is nothing below the model's S3 prefix."""


class ModelCache:
    """Directories that instances read, one for each state of a prefix. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def directory(self, s3: Any, uri: str) -> Path:
        """The model's files as they are in S3 now. `uri`: `s3://bucket/prefix/`. Raises `ModelNotFound`."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        objects = [item for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]
        if not objects:
            raise ModelNotFound(f"Could not find model data at {uri}.")
        state = hashlib.sha256(repr([uri, *sorted((o["Key"], o["ETag"]) for o in objects)]).encode()).hexdigest()
        with self._lock:
            done = self._folder / state[:32]
            if not done.exists():
                partial = self._folder / f"{state[:32]}.partial"
                shutil.rmtree(partial, ignore_errors=True)
                for item in objects:
                    path = partial.joinpath(*_inside(item["Key"].removeprefix(prefix)))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    s3.download_file(bucket, item["Key"], str(path))
                partial.rename(done)
        return done


def _inside(key: str) -> tuple[str, ...]:
    parts = PurePosixPath(key.lstrip("/")).parts
    if ".." in parts:
        raise ModelNotFound(f"The key {key} leads out of the model's prefix.")
    return parts
