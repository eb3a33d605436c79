"""`/invocations` with LoRAs: the real painter and engine on a tiny random model, files from a source in memory."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from endpoint.contract import EndpointError, LoraWeights
from endpoint.serving.app import Serving, create_app
from endpoint.serving.checkpoint import Checkpoint
from endpoint.serving.errors import InvocationFailed
from endpoint.serving.load_model import load_engine
from endpoint.serving.loras.files import LoraFiles
from endpoint.serving.loras.library import LoraLibrary
from endpoint.serving.painter import Painter
from endpoint.serving.png import Origin
from endpoint.serving.settings import ServingSettings
from endpoint.serving.stable_diffusion import StableDiffusion
from tests.fakes.fake_lora_source import FakeLoraSource
from tests.fakes.fake_picture_store import FakePictureStore
from tests.fakes.generate_requests import a_request, request_fields
from tests.fakes.random_checkpoint import random_stable_diffusion, save
from tests.fakes.random_loras import TEXT, as_json, diffusers_lora, kohya_lora

CARD = {"name": "random", "native_width": 64, "native_height": 64, "max_pixels": 512 * 512}
PREFIX = "pictures/tenants/t/jobs/job-1/"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return Checkpoint.read(save(random_stable_diffusion(), tmp_path_factory.mktemp("model"), json.dumps(CARD)))


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("loras")
    return [
        diffusers_lora(folder / "first.safetensors", random_stable_diffusion(), seed=1),
        diffusers_lora(folder / "second.safetensors", random_stable_diffusion(), seed=2, text_encoder=TEXT, r=2),
        kohya_lora(folder / "third.safetensors", random_stable_diffusion(), seed=3, unet=("to_q", "conv1")),
    ]


@pytest.fixture
def source() -> FakeLoraSource:
    return FakeLoraSource()


@pytest.fixture
def loras(source: FakeLoraSource, paths: list[Path]) -> list[LoraWeights]:
    return [source.put(path) for path in paths]


@pytest.fixture
def store() -> FakePictureStore:
    return FakePictureStore()


@pytest.fixture
def painter(
    checkpoint: Checkpoint, store: FakePictureStore, source: FakeLoraSource, tmp_path: Path
) -> Iterator[Painter]:
    settings = ServingSettings.from_environment({"EASEL_THREADS": "1"})
    executor = ThreadPoolExecutor(8)
    engine = load_engine(checkpoint, settings)
    files = LoraFiles(tmp_path / "kept", 10_000_000, source)
    library = LoraLibrary(files, engine.read_lora, 10_000_000)
    painter = Painter(engine, store, Origin(checkpoint, {}), executor, 0.02, library)
    yield painter
    source.open.set()
    painter.close()
    executor.shutdown()


@pytest.fixture
def client(painter: Painter, checkpoint: Checkpoint) -> Iterator[TestClient]:
    serving = Serving()
    serving.ready(painter, checkpoint.card)
    with TestClient(create_app(serving)) as client:
        yield client


def body(number: int, loras: list[LoraWeights], **changes: Any) -> dict[str, Any]:
    return request_fields(
        job_id=f"job-{number}",
        output={"bucket": "pictures", "prefix": f"jobs/{number}/"},
        loras=as_json(loras),
        **changes,
    )


def error_of(response: Any, status: int) -> EndpointError:
    assert response.status_code == status
    return EndpointError.model_validate_json(response.content)


def test_requests_at_once_never_leak_into_one_another(
    client: TestClient, store: FakePictureStore, loras: list[LoraWeights], source: FakeLoraSource
) -> None:
    """Same prompt and seed, so that only the LoRAs tell the pictures apart; every one has the bytes it has alone."""
    first, second, third = loras
    half = first.model_copy(update={"weight": 0.5})
    choices = [[], [first], [half], [second], [third], [second, half], [third, first], []]
    bodies = [body(number, chosen, steps=6) for number, chosen in enumerate(choices)]
    with ThreadPoolExecutor(len(bodies)) as together:
        for response in together.map(lambda each: client.post("/invocations", json=each), bodies):
            assert response.status_code == 200, response.content
    at_once = {key: file for key, file in store.files.items() if key.endswith(".png")}
    for each in bodies:
        assert client.post("/invocations", json=each).status_code == 200
    assert at_once == {key: file for key, file in store.files.items() if key.endswith(".png")}
    pixels = [Image.open(io.BytesIO(at_once[f"pictures/jobs/{number}/0.png"])).tobytes() for number in range(8)]
    assert pixels[0] == pixels[7]
    assert len(set(pixels)) == 7
    assert set(source.fetched.values()) == {1}


def test_the_picture_says_which(client: TestClient, store: FakePictureStore, loras: list[LoraWeights]) -> None:
    chosen = loras[0].model_copy(update={"weight": 0.8})
    assert client.post("/invocations", json=body(1, [chosen], seeds=[1, 2])).is_success
    for name in ("0.png", "1.png", "grid.png"):
        info = Image.open(io.BytesIO(store.files[f"pictures/jobs/1/{name}"])).info
        assert info["parameters"].startswith("a large red circle <lora:first:0.8>\nSteps: 4")
        assert json.loads(info["easel"])["loras"] == [{"name": "first", "sha256": chosen.sha256, "weight": 0.8}]
        assert chosen.key not in info["easel"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"key": "tenants/t/loras/gone.safetensors"}, "its file is not in S3"),
        ({"sha256": "0" * 64}, "its file in S3 is not the one that was registered"),
        ({"bytes": 10}, "its file in S3 has another size"),
    ],
)
def test_one_that_is_not_what_the_request_says(
    client: TestClient, store: FakePictureStore, loras: list[LoraWeights], change: dict[str, Any], reason: str
) -> None:
    bad = loras[1].model_copy(update=change)
    with ThreadPoolExecutor(2) as together:
        beside = together.submit(client.post, "/invocations", json=body(2, [loras[0]], steps=20))
        error = error_of(client.post("/invocations", json=body(1, [loras[0], bad])), 400)
        assert beside.result(30).status_code == 200
    assert (error.code, error.job_id) == ("lora_unusable", "job-1")
    assert error.message.startswith(f"The LoRA “second” can't be used: {reason}")
    assert error.message.endswith(".")
    assert not [key for key in store.files if key.startswith("pictures/jobs/1/") and key.endswith((".png", "t.json"))]


def test_one_that_does_not_fit_the_model(client: TestClient, source: FakeLoraSource, tmp_path: Path) -> None:
    wide = random_stable_diffusion()
    wide.unet = type(wide.unet).from_config({**wide.unet.config, "block_out_channels": (8, 32)})
    misfit = source.put(diffusers_lora(tmp_path / "misfit.safetensors", wide, seed=1))
    pickled = source.put_bytes("pickled", b"\x80\x04K\x01.", tmp_path)
    for bad, reason in ((misfit, "it was made for another model"), (pickled, "it is not a safetensors file")):
        error = error_of(client.post("/invocations", json=body(1, [bad])), 400)
        assert error.code == "lora_unusable"
        assert error.message.startswith(f"The LoRA “{bad.name}” can't be used: {reason}")
    assert client.post("/invocations", json=body(1, [])).is_success


def test_s3_that_fails_is_no_fault_of_the_lora(
    client: TestClient, loras: list[LoraWeights], source: FakeLoraSource
) -> None:
    source.failures = 3
    error = error_of(client.post("/invocations", json=body(1, [loras[0]])), 500)
    assert (error.code, error.message) == (
        "storage_failed",
        "The LoRA “first” could not be fetched from S3 now: try again.",
    )
    assert error.reference
    assert client.post("/invocations", json=body(1, [loras[0]])).is_success


def test_steps_go_on_while_a_file_is_fetched(
    client: TestClient, loras: list[LoraWeights], source: FakeLoraSource
) -> None:
    source.open.clear()
    with ThreadPoolExecutor(1) as together:
        waiting = together.submit(client.post, "/invocations", json=body(1, [loras[0]]))
        while not source.fetched:
            time.sleep(0.01)
        assert client.post("/invocations", json=body(2, [], steps=30)).is_success
        assert not waiting.done()
        source.open.set()
        assert waiting.result(30).status_code == 200


def test_cancelled_while_a_file_is_fetched(
    client: TestClient, store: FakePictureStore, painter: Painter, loras: list[LoraWeights], source: FakeLoraSource
) -> None:
    source.open.clear()
    store.files["pictures/jobs/1/cancelled"] = b""
    begun = time.monotonic()
    assert error_of(client.post("/invocations", json=body(1, [loras[0]])), 400).code == "cancelled"
    assert time.monotonic() - begun < 5
    assert painter.running == 0
    source.open.set()
    assert client.post("/invocations", json=body(2, [loras[0]])).is_success


def test_the_drain_ends_what_still_waits_for_a_file(
    client: TestClient, painter: Painter, loras: list[LoraWeights], source: FakeLoraSource
) -> None:
    source.open.clear()
    with ThreadPoolExecutor(1) as together:
        waiting = together.submit(client.post, "/invocations", json=body(1, [loras[0]]))
        while not source.fetched:
            time.sleep(0.01)
        painter.stop_running()
        assert error_of(waiting.result(10), 503).code == "unavailable"
    assert painter.running == 0


@pytest.mark.parametrize("ending", ["painted", "cancelled", "storage", "stopped"])
def test_however_it_ends_nothing_stays_held(
    painter: Painter, store: FakePictureStore, loras: list[LoraWeights], ending: str
) -> None:
    async def present() -> bool:
        return ending == "cancelled"

    if ending == "storage":
        store.refuses = {"0.png"}
    if ending == "stopped":
        threading.Timer(0.3, painter.stop_running).start()
    steps = 4 if ending in ("painted", "storage") else 150
    side = 64 if ending in ("painted", "storage") else 512
    request = a_request(loras=as_json(loras[:2]), steps=steps, width=side, height=side)
    try:
        asyncio.run(painter.paint(request, present))
        assert ending == "painted"
    except InvocationFailed as failed:
        assert failed.code == {"cancelled": "cancelled", "storage": "storage_failed", "stopped": "unavailable"}[ending]
    deadline = time.monotonic() + 10
    while any(entry.users for entry in painter._loras._entries.values()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [entry.users for entry in painter._loras._entries.values()] in ([0, 0], [])


def test_logs_say_where_each_was_found(
    client: TestClient, loras: list[LoraWeights], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for number in (1, 2):
            assert client.post("/invocations", json=body(number, loras[:1])).is_success
    ready = [vars(record) for record in caplog.records if record.message == "loras ready"]
    assert [line["job_id"] for line in ready] == ["job-1", "job-2"]
    found = [line["loras"][0] for line in ready]
    assert [(each["name"], each["sha256"], each["weight"]) for each in found] == [("first", loras[0].sha256, 1.0)] * 2
    assert [each["found_in"] for each in found] == ["s3", "memory"]
    loaded = [vars(record) for record in caplog.records if record.message == "lora loaded"]
    assert len(loaded) == 1
    assert loaded[0]["fetch_seconds"] >= 0
    assert loaded[0]["read_seconds"] >= 0
    assert loaded[0]["bytes"] == loras[0].bytes


def test_a_device_without_room_for_it_is_out_of_memory(
    client: TestClient, loras: list[LoraWeights], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(StableDiffusion, "read_lora", no_room)
        assert error_of(client.post("/invocations", json=body(1, loras[:1])), 500).code == "out_of_memory"
    with monkeypatch.context() as patch:
        patch.setattr(StableDiffusion, "combine_loras", no_room)
        assert error_of(client.post("/invocations", json=body(1, loras[:1])), 500).code == "out_of_memory"
    assert client.post("/invocations", json=body(1, loras[:1])).is_success
