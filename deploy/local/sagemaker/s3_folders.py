"""Folders between S3 and a container's disk. All blocking."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Of an `s3://` address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def is_anything_at(s3: Any, uri: str) -> bool:
    """Whether there is an object below a prefix."""
    bucket, prefix = bucket_and_key(uri)
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"))


def download(s3: Any, uri: str, folder: Path) -> int:
    """Everything below a prefix into the folder; how many files. Keys that lead out of it are refused (ValueError)."""
    bucket, prefix = bucket_and_key(uri)
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            key: str = item["Key"]
            if key.endswith("/"):
                continue
            path = folder.joinpath(*_relative(key, prefix))
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(path))
            count += 1
    return count


def upload(s3: Any, folder: Path, uri: str) -> None:
    """Every file of the folder to below `uri`."""
    bucket, prefix = bucket_and_key(uri)
    for path in files_of(folder):
        _put(s3, path, bucket, f"{prefix.rstrip('/')}/{path.relative_to(folder).as_posix()}")


def upload_archive(s3: Any, folder: Path, uri: str) -> None:
    """The folder's content as one `.tar.gz`."""
    bucket, key = bucket_and_key(uri)
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        archive = Path(aside) / "archive.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for path in files_of(folder):
                tar.add(path, arcname=path.relative_to(folder).as_posix())
        _put(s3, archive, bucket, key)


def files_of(folder: Path) -> Iterator[Path]:
    """The files below a folder, if there is one, the ones written first in front."""
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                found.append((path.stat().st_mtime_ns, path))
        except FileNotFoundError:
            continue  # gone while we looked
    return iter([path for _, path in sorted(found)])


def _put(s3: Any, path: Path, bucket: str, key: str) -> None:
    """Not by boto3's transfers: their errors name folders of this machine."""
    with path.open("rb") as content:
        s3.put_object(Bucket=bucket, Key=key, Body=content)


def _relative(key: str, prefix: str) -> tuple[str, ...]:
    inside = key.removeprefix(prefix).lstrip("/") or key.rsplit("/", 1)[-1]
    parts = PurePosixPath(inside).parts
    if ".." in parts:
        raise ValueError(f"The key {key} leads out of its prefix.")
    return parts
