"""LoRA files on disk: what is fetched, checked, kept and evicted."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from endpoint.contract import LoraWeights
from endpoint.serving.loras.errors import LoraMissing, LoraUnfetched, LoraUnusable
from endpoint.serving.loras.files import LoraFiles
from tests.fakes.fake_lora_source import FakeLoraSource


@pytest.fixture
def source() -> FakeLoraSource:
    return FakeLoraSource()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def some_files(source: FakeLoraSource, folder: Path, *names: str) -> list[LoraWeights]:
    """Each of 4,000 bytes."""
    return [source.put_bytes(name, name.encode().ljust(4_000, b"."), folder) for name in names]


def read(files: LoraFiles, lora: LoraWeights) -> tuple[bytes, bool]:
    """The content, and whether it was fetched."""
    with files.opened(lora) as file:
        return file.path.read_bytes(), file.fetch_seconds is not None


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_fetched_once_and_then_from_disk(source: FakeLoraSource, kept: Path, tmp_path: Path) -> None:
    (one,) = some_files(source, tmp_path, "one")
    files = LoraFiles(kept, 10_000, source)
    assert read(files, one) == (b"one".ljust(4_000, b"."), True)
    assert read(files, one) == (b"one".ljust(4_000, b"."), False)
    assert source.fetched[one.key] == 1
    assert kept.stat().st_mode & 0o077 == 0, "LoRAs are the customers'"


def test_evicts_what_was_used_longest_ago(source: FakeLoraSource, kept: Path, tmp_path: Path) -> None:
    one, two, three = some_files(source, tmp_path, "one", "two", "three")
    files = LoraFiles(kept, 8_000, source)
    for lora in (one, two, one, three):
        read(files, lora)
        assert files.bytes == on_disk(kept) <= 8_000
    assert read(files, one)[1] is False
    assert read(files, two)[1] is True


def test_a_file_that_is_read_is_not_evicted_and_the_bound_holds(
    source: FakeLoraSource, kept: Path, tmp_path: Path
) -> None:
    one, two, three = some_files(source, tmp_path, "one", "two", "three")
    files = LoraFiles(kept, 8_000, source)
    done = threading.Event()

    def fetch_third() -> None:
        read(files, three)
        done.set()

    with files.opened(one) as first:
        with files.opened(two):
            waiting = threading.Thread(target=fetch_third)
            waiting.start()
            assert not done.wait(0.2), "there is no room before one of the two is done"
            assert on_disk(kept) <= 8_000
        assert done.wait(10)
        assert first.path.read_bytes().startswith(b"one")
    waiting.join()
    assert read(files, two)[1] is True


def test_a_damaged_file_is_fetched_again(source: FakeLoraSource, kept: Path, tmp_path: Path) -> None:
    (one,) = some_files(source, tmp_path, "one")
    files = LoraFiles(kept, 10_000, source)
    read(files, one)
    (path,) = kept.iterdir()
    for damage in (b"x" + path.read_bytes()[1:], path.read_bytes()[:100], b""):
        path.write_bytes(damage)
        assert read(files, one) == (b"one".ljust(4_000, b"."), True)
        assert files.bytes == 4_000
    path.unlink()
    assert read(files, one)[1] is True


def test_only_the_file_that_was_asked_for(source: FakeLoraSource, kept: Path, tmp_path: Path) -> None:
    (one,) = some_files(source, tmp_path, "one")
    files = LoraFiles(kept, 10_000, source)
    with pytest.raises(LoraUnusable, match="checksum"):
        read(files, one.model_copy(update={"sha256": "0" * 64}))
    for size in (3_999, 4_001):
        with pytest.raises(LoraUnusable, match="another size"):
            read(files, one.model_copy(update={"bytes": size}))
    with pytest.raises(LoraMissing, match="not in S3"):
        read(files, one.model_copy(update={"key": "elsewhere"}))
    with pytest.raises(LoraUnusable, match="at most 10000"):
        read(files, one.model_copy(update={"bytes": 10_001}))
    assert list(kept.iterdir()) == []
    assert files.bytes == 0


def test_knowing_a_checksum_opens_nobody_elses_file(source: FakeLoraSource, kept: Path, tmp_path: Path) -> None:
    (one,) = some_files(source, tmp_path, "one")
    files = LoraFiles(kept, 10_000, source)
    read(files, one)
    with pytest.raises(LoraMissing):
        read(files, one.model_copy(update={"key": "tenants/other/loras/one.safetensors"}))


def test_s3_that_breaks_off_is_tried_again(source: FakeLoraSource, kept: Path, tmp_path: Path) -> None:
    (one,) = some_files(source, tmp_path, "one")
    waits: list[float] = []
    files = LoraFiles(kept, 10_000, source, waits.append)
    source.failures = 2
    assert read(files, one) == (b"one".ljust(4_000, b"."), True)
    assert waits == [0.2, 0.4]
    source.failures = 3
    with pytest.raises(LoraUnfetched):
        read(files, one.model_copy(update={"sha256": "1" * 64}))
    assert len(list(kept.iterdir())) == 1
    assert files.bytes == 4_000


def test_a_disk_that_takes_nothing(source: FakeLoraSource, kept: Path, tmp_path: Path) -> None:
    (one,) = some_files(source, tmp_path, "one")
    files = LoraFiles(kept, 10_000, source)
    kept.rmdir()
    with pytest.raises(LoraUnfetched):
        read(files, one)
    assert files.bytes == 0


def test_a_later_process_goes_on_with_what_is_there(source: FakeLoraSource, kept: Path, tmp_path: Path) -> None:
    one, two, three = some_files(source, tmp_path, "one", "two", "three")
    files = LoraFiles(kept, 12_000, source)
    for age, lora in enumerate((three, one, two)):
        with files.opened(lora) as file:
            path = file.path
        os.utime(path, (time.time() - 100 + age, time.time() - 100 + age))
    old, new = kept / "x.part", kept / "y.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (1, 1))
    later = LoraFiles(kept, 8_000, source)
    assert later.bytes == 8_000
    assert not old.exists()
    assert new.exists(), "another process may be writing it"
    assert [read(later, lora)[1] for lora in (one, two)] == [False, False]
    assert read(later, three)[1] is True
