"""`/ping` and `/invocations` with the real painter and engine on a tiny random model, and a store in memory."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from endpoint.contract import EndpointError, Manifest, Progress
from endpoint.serving.app import Phase, Serving, create_app
from endpoint.serving.checkpoint import Checkpoint
from endpoint.serving.errors import InvocationFailed
from endpoint.serving.load_model import load_engine
from endpoint.serving.loras.files import LoraFiles
from endpoint.serving.loras.library import LoraLibrary
from endpoint.serving.painter import Painter
from endpoint.serving.png import Origin
from endpoint.serving.settings import ServingSettings
from tests.fakes.fake_lora_source import FakeLoraSource
from tests.fakes.fake_picture_store import FakePictureStore
from tests.fakes.generate_requests import a_request, request_fields
from tests.fakes.random_checkpoint import random_stable_diffusion, save

CARD = {"name": "random", "native_width": 64, "native_height": 64, "max_pixels": 512 * 512}
PREFIX = "pictures/tenants/t/jobs/job-1/"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return Checkpoint.read(save(random_stable_diffusion(), tmp_path_factory.mktemp("model"), json.dumps(CARD)))


@pytest.fixture
def store() -> FakePictureStore:
    return FakePictureStore()


@pytest.fixture
def serving(checkpoint: Checkpoint, store: FakePictureStore, tmp_path: Path) -> Iterator[Serving]:
    settings = ServingSettings.from_environment({"EASEL_THREADS": "1"})
    executor = ThreadPoolExecutor(8)
    engine = load_engine(checkpoint, settings)
    loras = LoraLibrary(LoraFiles(tmp_path / "loras", 1_000_000, FakeLoraSource()), engine.read_lora, 1_000_000)
    painter = Painter(engine, store, Origin(checkpoint, {}), executor, 0.02, loras)
    serving = Serving()
    serving.ready(painter, checkpoint.card)
    yield serving
    painter.close()
    executor.shutdown()


@pytest.fixture
def client(serving: Serving) -> Iterator[TestClient]:
    with TestClient(create_app(serving)) as client:
        yield client


def error_of(response: Any, status: int) -> EndpointError:
    assert response.status_code == status
    return EndpointError.model_validate_json(response.content)


def test_paints_and_stores_everything_the_contract_names(client: TestClient, store: FakePictureStore) -> None:
    assert client.get("/ping").status_code == 200
    response = client.post("/invocations", json=request_fields(seeds=[5, 6, 7], steps=6))
    assert response.status_code == 200
    manifest = Manifest.model_validate_json(response.content)
    assert sorted(store.files) == sorted(
        PREFIX + name for name in ("0.png", "1.png", "2.png", "grid.png", "manifest.json", "progress.json")
    )
    assert store.history[-1] == ("manifest.json", response.content)
    assert [(picture.seed, picture.width, picture.height) for picture in manifest.pictures] == [
        (seed, 64, 64) for seed in (5, 6, 7)
    ]
    for index, picture in enumerate(manifest.pictures):
        body = store.files[f"pictures/{picture.key}"]
        assert picture.key.endswith(f"{index}.png")
        assert (picture.bytes, picture.sha256) == (len(body), hashlib.sha256(body).hexdigest())
        assert store.content_types[f"pictures/{picture.key}"] == "image/png"
    assert manifest.grid is not None
    assert Image.open(io.BytesIO(store.files[f"pictures/{manifest.grid.key}"])).size == (
        manifest.grid.width,
        manifest.grid.height,
    )
    timings = manifest.timings
    assert timings.total_seconds >= timings.decode_seconds > 0
    reports = [Progress.model_validate_json(body) for name, body in store.history if name == "progress.json"]
    assert reports[0].step == 0
    assert [report.step for report in reports] == sorted(report.step for report in reports)
    assert {report.steps for report in reports} == {18}


def test_the_manifest_is_the_last_file_also_where_progress_is_slow_to_store(
    client: TestClient, store: FakePictureStore
) -> None:
    store.slow["progress.json"] = 0.5
    response = client.post("/invocations", json=request_fields(seeds=[5], steps=2))
    time.sleep(0.6)
    assert [name for name, _ in store.history if name in ("progress.json", "manifest.json")][-1] == "manifest.json"
    assert response.status_code == 200


def test_one_picture_has_no_grid_and_the_same_bytes_every_time(client: TestClient, store: FakePictureStore) -> None:
    several = client.post("/invocations", json=request_fields(seeds=[5, 6])).json()
    beside = store.files[PREFIX + "0.png"]
    alone = client.post("/invocations", json=request_fields(seeds=[5])).json()
    assert alone["grid"] is None
    assert alone["pictures"][0]["sha256"] == several["pictures"][0]["sha256"]
    assert store.files[PREFIX + "0.png"] == beside


def test_many_at_once_are_each_as_if_alone(client: TestClient, store: FakePictureStore) -> None:
    bodies = [
        request_fields(
            job_id=f"job-{index}",
            seeds=[index],
            steps=2 + index,
            output={"bucket": "pictures", "prefix": f"jobs/{index}/"},
        )
        for index in range(6)
    ]
    with ThreadPoolExecutor(6) as together:
        for response in together.map(lambda body: client.post("/invocations", json=body), bodies):
            assert response.status_code == 200
    at_once = {key: body for key, body in store.files.items() if key.endswith("0.png")}
    for body in bodies:
        client.post("/invocations", json=body)
    assert at_once == {key: body for key, body in store.files.items() if key.endswith("0.png")}
    assert len({np.asarray(Image.open(io.BytesIO(body))).tobytes() for body in at_once.values()}) == 6


def test_ping_answers_while_painting(client: TestClient) -> None:
    painting = threading.Thread(
        target=client.post, args=("/invocations",), kwargs={"json": request_fields(steps=40, width=256, height=256)}
    )
    painting.start()
    slowest = 0.0
    while painting.is_alive():
        begun = time.monotonic()
        assert client.get("/ping").status_code == 200
        slowest = max(slowest, time.monotonic() - begun)
    assert 0 < slowest < 2


def test_bad_requests(client: TestClient, store: FakePictureStore) -> None:
    assert error_of(client.post("/invocations", content=b"{nope"), 400).message == "The request is not valid JSON."
    refused = error_of(client.post("/invocations", json=request_fields(width=70)), 400)
    assert (refused.code, refused.message) == ("invalid_request", "width is 70; it must be a multiple of 8.")
    assert refused.job_id == "job-1"
    assert (
        "at most 262144"
        in error_of(client.post("/invocations", json=request_fields(width=1024, height=1024)), 400).message
    )
    assert error_of(client.post("/invocations", content=b"x" * 2_000_000), 400).code == "invalid_request"
    assert client.get("/invocations").status_code == 405
    assert store.files == {}


def test_cancelled_by_the_marker(client: TestClient, store: FakePictureStore) -> None:
    store.files[PREFIX + "cancelled"] = b""
    response = client.post("/invocations", json=request_fields(steps=150, width=512, height=512))
    assert error_of(response, 400).code == "cancelled"
    assert not [key for key in store.files if key.endswith((".png", "manifest.json"))]
    assert client.post("/invocations", json=request_fields(output={"bucket": "pictures", "prefix": "b/"})).is_success


@pytest.mark.parametrize("name", ["0.png", "grid.png", "manifest.json"])
def test_storage_that_fails(client: TestClient, store: FakePictureStore, name: str) -> None:
    store.refuses = {name}
    error = error_of(client.post("/invocations", json=request_fields(seeds=[1, 2])), 500)
    assert error.code == "storage_failed"
    assert error.reference
    assert error.job_id == "job-1"
    assert PREFIX + "manifest.json" not in store.files
    store.refuses = set()
    assert client.post("/invocations", json=request_fields()).is_success


def test_progress_that_cannot_be_stored_is_no_failure(client: TestClient, store: FakePictureStore) -> None:
    store.refuses = {"progress.json", "cancelled"}
    assert client.post("/invocations", json=request_fields()).is_success


def test_slow_storage_does_not_hold_painting_up(client: TestClient, store: FakePictureStore) -> None:
    store.seconds = 0.5
    begun = time.monotonic()
    timings = Manifest.model_validate_json(
        client.post("/invocations", json=request_fields(seeds=[1, 2, 3, 4])).content
    ).timings
    stored = time.monotonic() - begun - timings.denoise_seconds - timings.decode_seconds
    # Four pictures at once, then the grid, then the manifest: three waits of half a second, and not six.
    assert 1.0 < stored < 2.7


def test_nobody_paints_for_a_caller_who_has_hung_up(serving: Serving, store: FakePictureStore) -> None:
    async def hung_up() -> bool:
        return True

    assert serving.painter is not None
    with pytest.raises(InvocationFailed, match="cancelled"):
        asyncio.run(serving.painter.paint(a_request(steps=150, width=512, height=512), hung_up))
    assert PREFIX + "0.png" not in store.files


def test_loading_and_draining_take_nothing(serving: Serving, client: TestClient) -> None:
    with TestClient(create_app(Serving())) as loading:
        assert loading.get("/ping").status_code == 503
        assert error_of(loading.post("/invocations", json=request_fields()), 503).code == "unavailable"
    serving.phase = Phase.DRAINING
    assert client.get("/ping").status_code == 503
    assert error_of(client.post("/invocations", json=request_fields()), 503).code == "unavailable"


def test_work_that_outlasts_the_drain_is_stopped_at_a_step(serving: Serving, client: TestClient) -> None:
    painter = serving.painter
    assert painter is not None
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(client.post, "/invocations", json=request_fields(steps=150, width=512, height=512))
        while not painter.running:
            time.sleep(0.01)
        painter.stop_running()
        assert error_of(answer.result(10), 503).code == "unavailable"


def test_broken_engine_is_unhealthy(serving: Serving, client: TestClient) -> None:
    assert serving.painter is not None
    serving.painter.close()
    assert client.get("/ping").status_code == 503
    assert error_of(client.post("/invocations", json=request_fields()), 503).code == "unavailable"


def test_ready_after_the_drain_began_stays_draining(serving: Serving) -> None:
    assert serving.painter is not None
    assert serving.card is not None
    late = Serving()
    late.phase = Phase.DRAINING
    late.ready(serving.painter, serving.card)
    assert not late.healthy


def test_checkpoint_directory_is_not_told(client: TestClient, store: FakePictureStore, checkpoint: Checkpoint) -> None:
    client.post("/invocations", json=request_fields())
    assert not [key for key, body in store.files.items() if str(checkpoint.directory).encode() in body]
    assert Path(checkpoint.directory).exists()
