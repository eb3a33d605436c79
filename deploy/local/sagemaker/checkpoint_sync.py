"""Checkpoints between a container's disk and S3, as SageMaker keeps them."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

from deploy.local.sagemaker.s3_folders import bucket_and_key, download, files_of


class CheckpointSync:
    """Files go to S3 as they are written and are never deleted there. Blocking."""

    def __init__(self, s3: Any, folder: Path, uri: str) -> None:
        self._s3 = s3
        self._folder = folder
        self._uri = uri
        self._uploaded: dict[Path, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def restore(self) -> None:
        """What an earlier run has left there."""
        download(self._s3, self._uri, self._folder)
        self._uploaded = {path: _state(path) for path in files_of(self._folder)}

    def push(self) -> None:
        """What has changed since, the oldest change first."""
        with self._lock:
            for path in files_of(self._folder):
                self._push(path)

    def _push(self, path: Path) -> None:
        bucket, prefix = bucket_and_key(self._uri)
        key = f"{prefix.rstrip('/')}/{path.relative_to(self._folder).as_posix()}"
        with contextlib.suppress(FileNotFoundError):  # renamed or removed while we looked
            state = _state(path)
            if self._uploaded.get(path) != state:
                self._s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
                self._uploaded[path] = state


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size
