"""What different LoRAs in one batch cost: a denoising step of eight pictures with a LoRA each, on the miniature model.

Measured in turns within one run and given as ratios: the eight together against one after another, and against the same
eight without LoRAs.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.figures import Figure

SAMPLES = 8
RANK = 16
ROUNDS = 9
GOAL = 1.3
_MODEL = Path(__file__).parents[2] / "endpoint" / "tiny" / "model"
_LAYERS = ("to_q", "to_k", "to_v", "to_out.0")


def lora_batches() -> list[Figure]:
    """Medians over `ROUNDS`, after a warm-up."""
    import torch  # seconds to import, and nothing else of the bench needs it
    from diffusers import StableDiffusionPipeline

    from endpoint.serving.stable_diffusion import StableDiffusion

    print(f"A step of {SAMPLES} pictures with {SAMPLES} LoRAs of rank {RANK}, {ROUNDS} rounds ...", flush=True)
    pipeline = StableDiffusionPipeline.from_pretrained(_MODEL, dtype=torch.float32, local_files_only=True)
    pipeline.unet.to(memory_format=torch.channels_last)
    model = StableDiffusion(pipeline)
    together: list[float] = []
    apart: list[float] = []
    without: list[float] = []
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        samples = [_sample(model, _lora(model, pipeline, Path(folder), seed)) for seed in range(SAMPLES)]
        plain = [_sample(model, None) for _ in range(SAMPLES)]
        _check_equal(model.predict(samples), [model.predict([sample])[0] for sample in samples])
        for _ in range(ROUNDS + 1):
            together.append(_seconds(lambda: model.predict(samples)))
            apart.append(_seconds(lambda: [model.predict([sample]) for sample in samples]))
            without.append(_seconds(lambda: model.predict(plain)))
    ratio = statistics.median(one / other for one, other in zip(apart[1:], together[1:], strict=True))
    costs = [one / other for one, other in zip(together[1:], without[1:], strict=True)]
    return [
        Figure(f"LoRAs: a step of {SAMPLES} different ones together", _milliseconds(together[1:]), "ms"),
        Figure(f"LoRAs: a step of {SAMPLES} different ones one after another", _milliseconds(apart[1:]), "ms"),
        Figure("LoRAs: one after another, ratio to together", round(ratio, 3), "x", f">= {GOAL:g}", ratio >= GOAL),
        Figure("LoRAs: together, ratio to no LoRAs at all", round(statistics.median(costs), 3), "x"),
    ]


def _sample(model: Any, loras: Any) -> Any:
    from endpoint.contract import GenerateRequest, OutputLocation
    from endpoint.serving.paint_job import PaintJob

    job = PaintJob(
        GenerateRequest(
            job_id="bench",
            prompt="a large red circle",
            width=256,
            height=256,
            seeds=[0],
            steps=20,
            guidance_scale=2.0,
            output=OutputLocation(bucket="none", prefix="none/"),
        )
    )
    job.loras = loras
    return model.begin(job, 0)


def _lora(model: Any, pipeline: Any, folder: Path, seed: int) -> Any:
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, module in pipeline.unet.named_modules():
        if name.endswith(_LAYERS):
            outputs, inputs = module.weight.shape
            tensors[f"unet.{name}.lora_A.weight"] = 0.02 * torch.randn(RANK, inputs, generator=generator)
            tensors[f"unet.{name}.lora_B.weight"] = 0.02 * torch.randn(outputs, RANK, generator=generator)
    path = folder / f"{seed}.safetensors"
    save_file(tensors, path)
    return model.combine_loras([(model.read_lora(path, str(seed)), 1.0)])


def _check_equal(together: list[Any], alone: list[Any]) -> None:
    worst = max(float((one - other).abs().max()) for one, other in zip(together, alone, strict=True))
    if worst > 1e-4:
        raise RuntimeError(f"a batch gives other predictions than its pictures alone: {worst}")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _milliseconds(times: list[float]) -> float:
    return round(statistics.median(times) * 1000, 1)
