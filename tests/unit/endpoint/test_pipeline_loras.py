"""LoRAs in pipelines that the step engine doesn't know: here a tiny SDXL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from endpoint.serving.errors import InvocationFailed
from endpoint.serving.loras import pipeline_loras
from endpoint.serving.loras.errors import LoraUnusable
from endpoint.serving.loras.library import ChosenLora
from endpoint.serving.loras.pipeline_loras import LoraContent
from endpoint.serving.paint_job import PaintJob, Pixels
from endpoint.serving.pipeline_engine import PipelineEngine
from tests.fakes.generate_requests import a_request
from tests.fakes.random_checkpoint import random_stable_diffusion, random_stable_diffusion_xl
from tests.fakes.random_loras import TEXT, diffusers_lora, kohya_lora

Weighted = Sequence[tuple[str, float]]


def an_sdxl() -> Any:
    pipeline = random_stable_diffusion_xl()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("loras")
    return {
        "unet": diffusers_lora(folder / "unet.safetensors", an_sdxl(), seed=1, lora_alpha=6),
        "text": diffusers_lora(folder / "text.safetensors", an_sdxl(), seed=2, text_encoder=TEXT, lora_alpha=2),
        "kohya": kohya_lora(folder / "kohya.safetensors", an_sdxl(), seed=4, text_encoder=TEXT),
        "other-model": diffusers_lora(
            folder / "other-model.safetensors", random_stable_diffusion(), seed=3, text_encoder=TEXT
        ),
    }


def a_job(engine: PipelineEngine, files: dict[str, Path], loras: Weighted, **changes: Any) -> PaintJob:
    job = PaintJob(a_request(**changes))
    job.loras = engine.combine_loras(
        [ChosenLora(name, weight, engine.read_lora(files[name], name)) for name, weight in loras]
    )
    return job


def paint(engine: PipelineEngine, jobs: Sequence[PaintJob]) -> list[Pixels]:
    engine._waiting.extend(jobs)
    engine.start()
    pictures = [picture.result(120) for job in jobs for picture in job.pictures]
    engine.stop()
    return pictures


def stock(files: dict[str, Path], loras: Weighted, seed: int) -> Pixels:
    pipeline = an_sdxl()
    for name, _ in loras:
        pipeline.load_lora_weights(files[name].parent, weight_name=files[name].name, adapter_name=name)
    if loras:
        pipeline.set_adapters([name for name, _ in loras], [weight for _, weight in loras])
    request = a_request()
    picture = pipeline(
        request.prompt,
        width=request.width,
        height=request.height,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        generator=torch.Generator().manual_seed(seed),
        output_type="np",
    ).images[0]
    pixels: Pixels = (picture * 255).round().astype(np.uint8)
    return pixels


CHOICES: list[Weighted] = [[("unet", 0.8)], [], [("text", 1.0), ("unet", -0.5)], [("unet", 0.8)], [("unet", 0.2)]]


def test_each_picture_has_its_own_loras_as_in_stock_diffusers(files: dict[str, Path]) -> None:
    """Two pictures a job, which take turns: text encoder LoRAs come and go between pictures that have none."""
    engine = PipelineEngine(an_sdxl())
    jobs = [a_job(engine, files, loras, seeds=[5, 6]) for loras in CHOICES]
    pictures = paint(engine, jobs)
    expected = [stock(files, loras, seed) for loras in CHOICES for seed in (5, 6)]
    assert len({picture.tobytes() for picture in expected}) == 8
    for picture, right in zip(pictures, expected, strict=True):
        assert np.abs(picture.astype(int) - right).max() <= 1
    plain = paint(PipelineEngine(an_sdxl()), [PaintJob(a_request(seeds=[5, 6]))])
    assert [picture.tobytes() for picture in pictures[2:4]] == [picture.tobytes() for picture in plain]


def test_kohyas_naming(files: dict[str, Path]) -> None:
    engine = PipelineEngine(an_sdxl())
    (picture,) = paint(engine, [a_job(engine, files, [("kohya", 0.5)], seeds=[5])])
    assert np.abs(picture.astype(int) - stock(files, [("kohya", 0.5)], 5)).max() <= 1
    assert np.abs(picture.astype(int) - stock(files, [], 5)).max() > 10


def test_one_that_does_not_fit_fails_alone(files: dict[str, Path]) -> None:
    engine = PipelineEngine(an_sdxl())
    first = a_job(engine, files, [("unet", 0.8)], seeds=[5])
    bad = a_job(engine, files, [("unet", 1.0), ("other-model", 1.0)], seeds=[5])
    plain = a_job(engine, files, [], seeds=[5])
    last = a_job(engine, files, [("unet", 0.8)], seeds=[5])
    engine._waiting.extend([first, bad, plain, last])
    engine.start()
    with pytest.raises(InvocationFailed) as unusable:
        bad.pictures[0].result(60)
    assert (unusable.value.code, unusable.value.http_status) == ("lora_unusable", 400)
    assert unusable.value.message.startswith("The LoRA “other-model” can't be used: it was made for another model")
    assert np.array_equal(first.pictures[0].result(60), last.pictures[0].result(60))
    assert np.array_equal(
        plain.pictures[0].result(60), paint(PipelineEngine(an_sdxl()), [PaintJob(a_request(seeds=[5]))])[0]
    )
    engine.stop()


def test_only_so_many_stay_in_the_pipeline(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_loras, "_LOADED", 1)
    engine = PipelineEngine(an_sdxl())
    jobs = [a_job(engine, files, [(name, 0.8)], seeds=[5]) for name in ("unet", "text", "unet")]
    first, _, again = paint(engine, jobs)
    assert np.array_equal(first, again)
    assert list(engine._loras._loaded) == ["unet"]


def test_a_pipeline_that_takes_none_says_so(files: dict[str, Path]) -> None:
    class Plain:
        def __call__(self, prompt: str) -> Any:
            raise AssertionError("it must not paint")

    engine = PipelineEngine(Plain())
    job = a_job(engine, files, [("unet", 1.0)])
    engine._waiting.append(job)
    engine.start()
    with pytest.raises(InvocationFailed, match="“unet” can't be used: this model takes none"):
        job.pictures[0].result(30)
    engine.stop()


def test_files_that_are_none_are_refused_when_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(LoraUnusable, match="not a safetensors file"):
        LoraContent.read(path, "x")
    from safetensors.torch import save_file

    save_file({"weights": torch.ones(2)}, path)
    with pytest.raises(LoraUnusable, match="holds no LoRA layers"):
        LoraContent.read(path, "x")
