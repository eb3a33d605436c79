"""The container's entry point as a process, with LoRA files in S3 on the local AWS."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from deploy.local.processes import free_port
from endpoint.contract import EndpointError, LoraWeights
from tests.fakes.generate_requests import request_fields
from tests.fakes.local_aws import KEY, REGION, ROOT, SECRET, LocalAws, wait_for
from tests.fakes.random_checkpoint import random_stable_diffusion, save
from tests.fakes.random_loras import TEXT, as_json, diffusers_lora, kohya_lora, lora_weights

CARD = {"name": "random", "native_width": 64, "native_height": 64}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("aws")) as aws:
        aws.client("s3").create_bucket(Bucket="pictures")
        yield aws


@pytest.fixture
def loras(aws: LocalAws, tmp_path: Path) -> list[LoraWeights]:
    paths = [
        diffusers_lora(tmp_path / "first.safetensors", random_stable_diffusion(), seed=1, text_encoder=TEXT),
        kohya_lora(tmp_path / "second.safetensors", random_stable_diffusion(), seed=2),
    ]
    stored = [lora_weights(path, 0.8) for path in paths]
    for path, lora in zip(paths, stored, strict=True):
        aws.client("s3").put_object(Bucket=lora.bucket, Key=lora.key, Body=path.read_bytes())
    return stored


def serve(aws: LocalAws, model: Path, port: int, kept: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "endpoint", "serve"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "SM_MODEL_DIR": str(model),
                "SAGEMAKER_BIND_TO_PORT": str(port),
                "EASEL_BIND_HOST": "127.0.0.1",
                "EASEL_THREADS": "1",
                "EASEL_LORA_DIRECTORY": str(kept),
                "AWS_ENDPOINT_URL": aws.url,
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ping", timeout=2).status_code == 200
    except httpx.ConnectError:
        return False


def test_paints_with_them_without_being_started_anew_and_finds_them_again(
    aws: LocalAws, loras: list[LoraWeights], tmp_path: Path
) -> None:
    model = save(random_stable_diffusion(), tmp_path / "model", json.dumps(CARD))
    kept, log = tmp_path / "kept", tmp_path / "log"
    pictures: dict[str, bytes] = {}

    def paint(port: int, name: str, chosen: list[LoraWeights]) -> httpx.Response:
        body = request_fields(
            job_id=name, output={"bucket": "pictures", "prefix": f"jobs/{name}/"}, loras=as_json(chosen)
        )
        answer = httpx.post(f"http://127.0.0.1:{port}/invocations", json=body, timeout=60)
        if answer.is_success:
            stored = aws.client("s3").get_object(Bucket="pictures", Key=f"jobs/{name}/0.png")
            pictures[name] = Image.open(io.BytesIO(stored["Body"].read())).tobytes()
        return answer

    for run in ("one", "two"):
        port = free_port()
        process = serve(aws, model, port, kept, log)
        try:
            wait_for(lambda port=port: is_ready(port), 90)
            for name, chosen in (("plain", []), ("first", loras[:1]), ("both", loras)):
                assert paint(port, f"{name}-{run}", chosen).status_code == 200
            gone = loras[0].model_copy(update={"name": "gone", "key": "tenants/t/loras/gone.safetensors"})
            refused = paint(port, "refused", [gone])
            error = EndpointError.model_validate_json(refused.content)
            assert (refused.status_code, error.code, error.job_id) == (400, "lora_unusable", "refused")
            assert error.message.startswith("The LoRA “gone” can't be used: its file is not in S3")
        finally:
            process.terminate()
            process.wait(30)
        # The next run finds on disk what this one has fetched, but for one file that has been damaged meanwhile.
        damaged = next(path for path in kept.iterdir() if loras[1].sha256 in path.name)
        damaged.write_bytes(b"damaged")
    for name in ("plain", "first", "both"):
        assert pictures[f"{name}-one"] == pictures[f"{name}-two"]
    assert len(set(pictures.values())) == 3
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    loaded = [(line["sha256"], line["found_in"]) for line in lines if line["message"] == "lora loaded"]
    assert loaded == [
        (loras[0].sha256, "s3"),
        (loras[1].sha256, "s3"),
        (loras[0].sha256, "disk"),
        (loras[1].sha256, "s3"),
    ]
