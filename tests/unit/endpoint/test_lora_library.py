"""LoRAs in memory: what is loaded once, held, dropped, and what a request is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from endpoint.contract import LoraWeights
from endpoint.serving.errors import InvocationFailed
from endpoint.serving.loras.errors import LoraUnusable
from endpoint.serving.loras.files import LoraFiles
from endpoint.serving.loras.library import LoraLibrary
from tests.fakes.fake_lora_source import FakeLoraSource


@dataclass(frozen=True, eq=False)
class Content:
    """A LoRA of as many bytes in memory as in its file."""

    text: bytes

    @property
    def bytes(self) -> int:
        return len(self.text)


class Stage:
    """A library of 10,000 bytes over files of 4,000 each."""

    def __init__(self, folder: Path) -> None:
        self.source = FakeLoraSource()
        self.reads: list[str] = []
        self._folder = folder
        self.files = LoraFiles(folder / "kept", 100_000, self.source, lambda seconds: None)
        self.library: LoraLibrary[Content] = LoraLibrary(self.files, self.read, 10_000)

    def read(self, path: Path, sha256: str) -> Content:
        self.reads.append(sha256)
        text = path.read_bytes()
        if text.startswith(b"odd"):
            raise LoraUnusable("it is odd; make it even")
        return Content(text)

    def put(self, *names: str) -> list[LoraWeights]:
        return [self.source.put_bytes(name, name.encode().ljust(4_000, b"."), self._folder) for name in names]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


def test_many_requests_for_a_file_fetch_and_read_it_once(stage: Stage) -> None:
    (one,) = stage.put("one")
    stage.source.open.clear()

    async def work() -> None:
        threading.Timer(0.2, stage.source.open.set).start()
        loans = await asyncio.gather(*(stage.library.borrow([one], f"job-{index}") for index in range(20)))
        assert len({id(loan.chosen[0].lora) for loan in loans}) == 1

    run(work)
    assert stage.source.fetched[one.key] == 1
    assert len(stage.reads) == 1


def test_the_least_recently_used_is_dropped_and_read_from_disk_again(stage: Stage) -> None:
    one, two, three = stage.put("one", "two", "three")

    async def work() -> None:
        for lora in (one, two, one, three, one):
            (await stage.library.borrow([lora], "job")).give_back()
            assert stage.library.bytes <= 10_000
        assert stage.reads == [one.sha256, two.sha256, three.sha256]
        (await stage.library.borrow([two], "job")).give_back()
        assert stage.reads[-1] == two.sha256
        assert stage.source.fetched[two.key] == 1

    run(work)


def test_what_a_request_holds_is_never_dropped(stage: Stage) -> None:
    one, two, three, four = stage.put("one", "two", "three", "four")

    async def work() -> None:
        held = await stage.library.borrow([one], "job-1")
        for lora in (two, three, four, two):
            (await stage.library.borrow([lora], "job-2")).give_back()
            assert stage.library.bytes <= 10_000
        again = await stage.library.borrow([one], "job-3")
        assert again.chosen[0].lora is held.chosen[0].lora
        again.give_back()
        held.give_back()
        held.give_back()
        for lora in (three, four):
            (await stage.library.borrow([lora], "job-4")).give_back()
        (await stage.library.borrow([one], "job-5")).give_back()
        assert stage.reads.count(one.sha256) == 2, "it was given back, so that it could be dropped"

    run(work)


def test_a_request_waits_until_there_is_room_beside_the_others(stage: Stage) -> None:
    one, two, three = stage.put("one", "two", "three")

    async def work() -> None:
        held = await stage.library.borrow([one, two], "job-1")
        large = asyncio.create_task(stage.library.borrow([two, three], "job-2"))
        small = asyncio.create_task(stage.library.borrow([one], "job-3"))
        await asyncio.sleep(0.2)
        assert not large.done()
        assert not small.done(), "who came first goes first"
        assert stage.library.bytes <= 10_000
        assert stage.reads.count(three.sha256) == 0
        threading.Thread(target=held.give_back).start()
        (await large).give_back()
        (await small).give_back()
        assert stage.library.bytes <= 10_000

    run(work)


def test_who_gives_up_waiting_for_room_lets_the_next_one_through(stage: Stage) -> None:
    one, two, three = stage.put("one", "two", "three")

    async def work() -> None:
        held = await stage.library.borrow([one, two], "job-1")
        large = asyncio.create_task(stage.library.borrow([three], "job-2"))
        small = asyncio.create_task(stage.library.borrow([one], "job-3"))
        await asyncio.sleep(0.1)
        large.cancel()
        (await small).give_back()
        held.give_back()

    run(work)
    assert all(entry.users == 0 for entry in stage.library._entries.values())


def test_names_and_weights_are_the_requests_own(stage: Stage) -> None:
    (one,) = stage.put("one")
    other = one.model_copy(update={"name": "other-name", "weight": -0.5})

    async def work() -> None:
        loan = await stage.library.borrow([one, other], "job")
        assert [(each.name, each.weight) for each in loan.chosen] == [("one", 1.0), ("other-name", -0.5)]
        assert loan.chosen[0].lora is loan.chosen[1].lora

    run(work)
    assert len(stage.reads) == 1


def test_each_request_is_told_its_own_name_and_the_others_go_on(stage: Stage) -> None:
    odd, fine = stage.put("odd", "fine")
    renamed = odd.model_copy(update={"name": "renamed"})
    stage.source.open.clear()

    async def work() -> None:
        threading.Timer(0.2, stage.source.open.set).start()
        results = await asyncio.gather(
            *(stage.library.borrow(each, "job") for each in ([odd, fine], [fine, renamed], [fine])),
            return_exceptions=True,
        )
        failures = [each for each in results if isinstance(each, InvocationFailed)]
        assert [(failure.code, failure.http_status, failure.message) for failure in failures] == [
            ("lora_unusable", 400, "The LoRA “odd” can't be used: it is odd; make it even."),
            ("lora_unusable", 400, "The LoRA “renamed” can't be used: it is odd; make it even."),
        ]
        assert not isinstance(results[2], BaseException)
        results[2].give_back()
        assert stage.library.bytes == 4_000

    run(work)


def test_missing_today_and_there_tomorrow(stage: Stage) -> None:
    (one,) = stage.put("one")
    content = stage.source.files.pop(f"{one.bucket}/{one.key}")

    async def work() -> None:
        with pytest.raises(InvocationFailed, match="“one” can't be used: its file is not in S3") as missing:
            await stage.library.borrow([one], "job")
        assert missing.value.code == "lora_unusable"
        stage.source.files[f"{one.bucket}/{one.key}"] = content
        stage.source.failures = 3
        with pytest.raises(InvocationFailed, match="“one” could not be fetched from S3 now: try again") as passing:
            await stage.library.borrow([one], "job")
        assert (passing.value.code, passing.value.http_status) == ("storage_failed", 500)
        assert passing.value.reference
        (await stage.library.borrow([one], "job")).give_back()

    run(work)


def test_a_request_for_more_than_the_memory_is_refused(stage: Stage) -> None:
    loras = stage.put("one", "two", "three")

    async def work() -> None:
        with pytest.raises(InvocationFailed, match=r"“three” can't be used: with it.*12000 bytes.*10000"):
            await stage.library.borrow(loras, "job")
        assert stage.library.bytes <= 10_000

    run(work)


def test_who_gives_up_waiting_spoils_it_for_nobody(stage: Stage) -> None:
    (one,) = stage.put("one")
    stage.source.open.clear()

    async def work() -> None:
        first = asyncio.create_task(stage.library.borrow([one], "job-1"))
        second = asyncio.create_task(stage.library.borrow([one], "job-2"))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        stage.source.open.set()
        loan = await second
        assert loan.chosen[0].lora.text.startswith(b"one")
        loan.give_back()

    run(work)
    assert stage.source.fetched[one.key] == 1
    assert all(entry.users == 0 for entry in stage.library._entries.values())
