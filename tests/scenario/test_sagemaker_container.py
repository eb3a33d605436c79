"""The container's entry point as a process: what SageMaker itself would see of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.processes import free_port
from endpoint.contract import EndpointError, Manifest
from tests.fakes.generate_requests import request_fields
from tests.fakes.local_aws import KEY, REGION, ROOT, SECRET, LocalAws, wait_for
from tests.fakes.random_checkpoint import random_stable_diffusion, save

CARD = {"name": "random", "native_width": 64, "native_height": 64, "max_pixels": 512 * 512}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("aws")) as aws:
        aws.client("s3").create_bucket(Bucket="pictures")
        yield aws


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(random_stable_diffusion(), tmp_path_factory.mktemp("model"), json.dumps(CARD))


def start(model: Path, port: int, log: Path, **more: str) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "SM_MODEL_DIR": str(model),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "EASEL_BIND_HOST": "127.0.0.1",
        "EASEL_THREADS": "1",
        **more,
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "endpoint", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def ping(port: int) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ping", timeout=2).status_code
    except httpx.ConnectError:
        return 0


def test_serves_and_drains(aws: LocalAws, model: Path, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    process = start(
        model,
        port,
        log,
        AWS_ENDPOINT_URL=aws.url,
        AWS_ACCESS_KEY_ID=KEY,
        AWS_SECRET_ACCESS_KEY=SECRET,
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        EASEL_DRAIN_SECONDS="20",
    )
    try:
        wait_for(lambda: ping(port) == 503, 10)  # it answers while the model is loaded
        wait_for(lambda: ping(port) == 200, 60)
        url = f"http://127.0.0.1:{port}/invocations"
        answers: dict[str, httpx.Response] = {}

        def invoke(name: str, steps: int, side: int) -> None:
            body = request_fields(
                job_id=name,
                prompt="a secret word",
                steps=steps,
                width=side,
                height=side,
                seeds=[1, 2, 3, 4],
                output={"bucket": "pictures", "prefix": f"tenants/t/jobs/{name}/"},
            )
            answers[name] = httpx.post(url, json=body, timeout=60)

        working = threading.Thread(target=invoke, args=("job-short", 40, 128))
        working.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: ping(port) == 503, 2)
        refused = httpx.post(url, json=request_fields())
        assert refused.status_code == 503
        assert EndpointError.model_validate_json(refused.content).code == "unavailable"
        working.join(60)
        assert answers["job-short"].status_code == 200
        assert len(Manifest.model_validate_json(answers["job-short"].content).pictures) == 4
        assert process.wait(10) == 0
    finally:
        process.kill()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "job-short" in [line.get("job_id") for line in lines]
    assert "a secret word" not in log.read_text()


def test_gives_up_at_once_without_a_model(tmp_path: Path) -> None:
    process = start(tmp_path, free_port(), tmp_path / "log")
    assert process.wait(20) == 1
    assert "no model_index.json" in (tmp_path / "log").read_text()


def test_gives_up_where_the_port_is_taken(model: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(model, taken.getsockname()[1], tmp_path / "log")
        assert process.wait(20) == 1
    assert "address already in use" in (tmp_path / "log").read_text()


def test_without_a_mode_it_says_which_there_are() -> None:
    result = subprocess.run([sys.executable, "-m", "endpoint"], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (2, "usage: python -m endpoint serve|train\n")
