"""Pictures with LoRAs are those of stock diffusers, each as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from endpoint.contract import GenerateRequest
from endpoint.serving.loras.naming import Part
from endpoint.serving.loras.read_lora import read_lora
from endpoint.serving.loras.target_modules import TargetModules
from endpoint.serving.paint_job import PaintJob
from endpoint.serving.stable_diffusion import StableDiffusion
from endpoint.serving.step_engine import StepEngine
from tests.fakes.generate_requests import a_request
from tests.fakes.random_checkpoint import random_stable_diffusion
from tests.fakes.random_loras import EVERYTHING, TEXT, diffusers_lora, kohya_lora

TINY_MODEL = Path(__file__).parents[3] / "endpoint" / "tiny" / "model"

Weighted = Sequence[tuple[Path, float]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("loras")

    def at(name: str) -> Path:
        return folder / f"{name}.safetensors"

    def model() -> Any:
        return random_stable_diffusion()

    return {
        "attention": diffusers_lora(at("attention"), model(), seed=1),
        "everything": diffusers_lora(
            at("everything"), model(), seed=2, unet=EVERYTHING, text_encoder=TEXT, r=3, lora_alpha=5, size=0.1
        ),
        "patterns": diffusers_lora(
            at("patterns"),
            model(),
            seed=3,
            unet=("to_q", "to_v", "conv1"),
            text_encoder=("q_proj", "fc1"),
            r=4,
            lora_alpha=8,
            rank_pattern={"to_v": 2, "fc1": 6},
            alpha_pattern={"to_v": 3, "fc1": 2},
        ),
        "rslora": diffusers_lora(at("rslora"), model(), seed=4, lora_alpha=6, use_rslora=True),
        "no-metadata": diffusers_lora(at("no-metadata"), model(), seed=5, metadata=False, r=5, lora_alpha=5),
        "text-only": diffusers_lora(at("text-only"), model(), seed=6, unet=(), text_encoder=TEXT),
        "kohya": kohya_lora(at("kohya"), model(), seed=7, unet=EVERYTHING, text_encoder=TEXT, size=0.1),
        "kohya-mixed": kohya_lora(
            at("kohya-mixed"), model(), seed=8, text_encoder=TEXT, rank=(4, 2, 6), alpha=(2.0, 6.0, None, 1.5, 8.0)
        ),
    }


def stock(pipeline: Any, loras: Weighted, request: GenerateRequest) -> torch.Tensor:
    """The latents of diffusers with `load_lora_weights` and `set_adapters`."""
    pipeline.set_progress_bar_config(disable=True)
    for number, (path, _) in enumerate(loras):
        pipeline.load_lora_weights(path.parent, weight_name=path.name, adapter_name=str(number))
    if loras:
        pipeline.set_adapters([str(number) for number in range(len(loras))], [weight for _, weight in loras])
    latents: torch.Tensor = pipeline(
        request.prompt,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        generator=torch.Generator().manual_seed(request.seeds[0]),
        output_type="latent",
    ).images
    return latents


def a_job(model: StableDiffusion, loras: Weighted, request: GenerateRequest) -> PaintJob:
    job = PaintJob(request)
    job.loras = model.combine_loras([(model.read_lora(path, path.stem), weight) for path, weight in loras])
    return job


def denoise(model: StableDiffusion, job: PaintJob, index: int = 0) -> torch.Tensor:
    with torch.inference_mode():
        sample = model.begin(job, index)
        while not sample.finished:
            sample.apply(model.predict([sample])[0])
    return sample.latents


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Relative to the latents' own size: random weights may make them large."""
    return float((one - other).abs().max()) / max(1.0, float(other.abs().max()))


CASES: dict[str, list[tuple[str, float]]] = {
    "attention": [("attention", 1.0)],
    "weighted": [("attention", 0.4)],
    "negative weight": [("attention", -0.7)],
    "every kind of module, text encoder, alpha": [("everything", 0.8)],
    "patterns of rank and alpha": [("patterns", 1.0)],
    "rank-stabilized": [("rslora", 0.5)],
    "without metadata": [("no-metadata", 0.9)],
    "text encoder alone": [("text-only", 1.2)],
    "kohya's naming": [("kohya", 0.8)],
    "several": [("attention", 0.6), ("everything", 0.5), ("kohya", -0.4), ("text-only", 0.7)],
    "the same file twice": [("attention", 0.6), ("attention", 0.3)],
}


@pytest.mark.parametrize(("name", "guidance_scale"), [("several", 1.0), *((name, 4.0) for name in CASES)])
def test_matches_stock_diffusers(files: dict[str, Path], name: str, guidance_scale: float) -> None:
    loras = [(files[each], weight) for each, weight in CASES[name]]
    request = a_request(guidance_scale=guidance_scale, negative_prompt="blue", height=96)
    expected = stock(random_stable_diffusion(), loras, request)
    without = stock(random_stable_diffusion(), [], request)
    model = StableDiffusion(random_stable_diffusion())
    ours = denoise(model, a_job(model, loras, request))
    assert difference(ours, expected) < 1e-5
    assert difference(without, expected) > 1e-2, "the LoRA must matter, or the test shows nothing"


def test_an_alpha_for_each_module_as_kohya_means_it(files: dict[str, Path]) -> None:
    """Stock diffusers takes the most frequent alpha for all modules; the file's own are meant."""
    from safetensors.torch import load_file

    request = a_request(negative_prompt="blue")
    merged = random_stable_diffusion()
    tensors = load_file(files["kohya-mixed"])
    for prefix, part in (("lora_unet_", merged.unet), ("lora_te_text_model_", merged.text_encoder)):
        for name, module in part.named_modules():
            flat = prefix + name.replace(".", "_")
            if f"{flat}.lora_up.weight" in tensors:
                down, up = tensors[f"{flat}.lora_down.weight"], tensors[f"{flat}.lora_up.weight"]
                alpha = tensors.get(f"{flat}.alpha", torch.tensor(float(len(down))))
                module.weight.data += 0.8 * alpha / len(down) * up @ down
    model = StableDiffusion(random_stable_diffusion())
    ours = denoise(model, a_job(model, [(files["kohya-mixed"], 0.8)], request))
    assert difference(ours, stock(merged, [], request)) < 1e-5


def test_weight_zero_leaves_the_model_as_it_is(files: dict[str, Path]) -> None:
    model = StableDiffusion(random_stable_diffusion())
    job = a_job(model, [(files["everything"], 0.0)], a_request())
    assert job.loras is None
    assert torch.equal(denoise(model, job), denoise(model, PaintJob(a_request())))


TOGETHER: list[tuple[dict[str, Any], list[tuple[str, float]]]] = [
    ({"prompt": "plain", "seeds": [1, 2], "steps": 3}, []),
    ({"prompt": "one", "seeds": [3], "steps": 5}, [("attention", 0.8)]),
    ({"prompt": "unguided", "seeds": [4], "guidance_scale": 1.0}, [("everything", 0.9)]),
    ({"prompt": "two", "seeds": [5, 6], "steps": 6}, [("kohya", 0.5), ("attention", -0.5)]),
    ({"prompt": "other weight", "seeds": [7], "steps": 2}, [("attention", 0.3)]),
    ({"prompt": "one", "seeds": [3], "steps": 4}, [("text-only", 1.0)]),
    ({"prompt": "one", "seeds": [3], "steps": 4, "width": 96}, [("rslora", 1.0)]),
    ({"prompt": "one", "seeds": [3], "steps": 5, "negative_prompt": "fog"}, [("patterns", 1.0)]),
]


def together(files: dict[str, Path], max_batch: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, list[int]]:
    """Latents and pictures of `TOGETHER`, painted at once; and how many had LoRAs in each batch."""
    latents: dict[tuple[int, int], torch.Tensor] = {}
    different: list[int] = []
    decode, predict = StableDiffusion.decode, StableDiffusion.predict

    def decode_and_keep(self: StableDiffusion, sample: Any) -> Any:
        latents[jobs.index(sample.job), sample.index] = sample.latents
        return decode(self, sample)

    def predict_and_count(self: StableDiffusion, samples: Any) -> Any:
        different.append(len({id(sample.loras) for sample in samples if sample.loras}))
        return predict(self, samples)

    model = StableDiffusion(random_stable_diffusion())
    jobs = [
        a_job(model, [(files[name], weight) for name, weight in loras], a_request(**changes))
        for changes, loras in TOGETHER
    ]
    with monkeypatch.context() as patch:
        patch.setattr(StableDiffusion, "decode", decode_and_keep)
        patch.setattr(StableDiffusion, "predict", predict_and_count)
        engine = StepEngine(model, max_batch)
        engine._waiting.extend(jobs)
        engine.start()
        pictures = {
            (number, index): picture.result(60)
            for number, job in enumerate(jobs)
            for index, picture in enumerate(job.pictures)
        }
        engine.stop()
    return latents, pictures, different


def test_batched_with_other_loras_equals_alone(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    latents, _, different = together(files, 16, monkeypatch)
    assert max(different) >= 6
    for (number, index), ours in latents.items():
        changes, loras = TOGETHER[number]
        model = StableDiffusion(random_stable_diffusion())
        alone = denoise(
            model, a_job(model, [(files[name], weight) for name, weight in loras], a_request(**changes)), index
        )
        assert difference(ours, alone) <= 1e-5


def test_one_at_a_time_it_is_the_same_to_the_bit(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    latents, pictures, _ = together(files, 1, monkeypatch)
    for (number, index), ours in latents.items():
        changes, loras = TOGETHER[number]
        model = StableDiffusion(random_stable_diffusion())
        job = a_job(model, [(files[name], weight) for name, weight in loras], a_request(**changes))
        assert torch.equal(ours, denoise(model, job, index))
    assert len({picture.tobytes() for picture in pictures.values()}) == len(pictures)


def test_each_step_of_a_mixed_batch_equals_the_same_step_alone(files: dict[str, Path]) -> None:
    """On identical inputs, so that nothing adds up over the steps."""
    model = StableDiffusion(random_stable_diffusion())
    with torch.inference_mode():
        samples = [
            model.begin(a_job(model, [(files[name], weight) for name, weight in loras], a_request(**changes)), 0)
            for changes, loras in TOGETHER
            if "width" not in changes
        ]
        while True:
            samples = [sample for sample in samples if not sample.finished]
            if not samples:
                break
            for sample, prediction in zip(samples, model.predict(samples), strict=True):
                alone = model.predict([sample])[0]
                assert (prediction - alone).abs().max() <= 1e-5 * max(1.0, float(alone.abs().max()))
                sample.apply(alone)


def test_a_batch_without_loras_runs_the_model_untouched(files: dict[str, Path]) -> None:
    model = StableDiffusion(random_stable_diffusion())
    before = denoise(StableDiffusion(random_stable_diffusion()), PaintJob(a_request()))
    calls: list[str] = []
    unet = model._pipeline.unet
    original = unet.forward

    def look(*arguments: Any, **options: Any) -> Any:
        calls.append(
            "patched" if any("forward" in module.__dict__ for module in unet.modules() if module is not unet) else ""
        )
        return original(*arguments, **options)

    unet.forward = look
    denoise(model, a_job(model, [(files["everything"], 1.0)], a_request()))
    assert set(calls) == {"patched"}
    calls.clear()
    assert torch.equal(denoise(model, PaintJob(a_request())), before)
    assert set(calls) == {""}


def test_what_fails_under_loras_leaves_nothing_behind(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model = StableDiffusion(random_stable_diffusion())
    job = a_job(model, [(files["everything"], 1.0)], a_request())
    unet = model._pipeline.unet
    with monkeypatch.context() as patch:
        patch.setattr(unet.conv_out, "forward", lambda *_: (_ for _ in ()).throw(ValueError("no")))
        with torch.inference_mode(), pytest.raises(ValueError, match="no"):
            model.predict([model.begin(job, 0)])
    assert not [module for module in unet.modules() if "forward" in module.__dict__]
    plain = denoise(StableDiffusion(random_stable_diffusion()), PaintJob(a_request()))
    assert torch.equal(denoise(model, PaintJob(a_request())), plain)


def test_encodings_are_shared_by_loras_that_leave_the_text_alone(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = StableDiffusion(random_stable_diffusion())
    encoded: list[str] = []
    encode = model._pipeline.encode_prompt
    monkeypatch.setattr(
        model._pipeline, "encode_prompt", lambda text, *rest: encoded.append(text) or encode(text, *rest)
    )
    request = a_request(prompt="one", guidance_scale=1.0)
    embeddings = []
    for loras in ([], [("attention", 1.0)], [("text-only", 1.0)], [("text-only", 0.5)], [("text-only", 1.0)]):
        job = a_job(model, [(files[name], weight) for name, weight in loras], request)
        with torch.inference_mode():
            embeddings.append(model.begin(job, 0).prompt)
    assert encoded == ["one", "one", "one"]
    assert embeddings[0] is embeddings[1]
    assert embeddings[2] is embeddings[4]
    assert not torch.equal(embeddings[2], embeddings[3])


def test_the_same_choice_is_one_set_and_nothing_is_kept_when_all_is_painted(files: dict[str, Path]) -> None:
    model = StableDiffusion(random_stable_diffusion())
    lora = model.read_lora(files["attention"], "a")
    one, other = model.combine_loras([(lora, 0.5)]), model.combine_loras([(lora, 0.5)])
    assert one is other
    assert one is not model.combine_loras([(lora, 0.6)])
    jobs = [PaintJob(a_request(steps=2)), PaintJob(a_request(steps=3))]
    jobs[0].loras = one
    jobs[1].loras = model.combine_loras([(lora, 0.7)])
    engine = StepEngine(model, 8)
    engine._waiting.extend(jobs)
    engine.start()
    for job in jobs:
        job.pictures[0].result(60)
    engine.stop()
    assert not model._unet_loras._plans
    assert not model._text_loras._plans


def test_half_precision_is_as_near_as_stock(files: dict[str, Path]) -> None:
    """Against single precision, ours is not further off than stock in the same precision, over several seeds."""
    loras = [(files["attention"], 0.8), (files["kohya"], 0.5)]
    half, single = random_stable_diffusion().to(torch.bfloat16), random_stable_diffusion()
    model = StableDiffusion(random_stable_diffusion().to(torch.bfloat16))
    ours, theirs = 0.0, 0.0
    for seed in range(6):
        request = a_request(steps=1, guidance_scale=1.0, seeds=[seed])
        # Loaded once, LoRAs stay in these pipelines.
        exact = stock(single, [] if seed else loras, request)
        theirs += float((stock(half, [] if seed else loras, request) - exact).square().sum())
        latents = denoise(model, a_job(model, loras, request))
        assert latents.dtype == torch.bfloat16
        ours += float((latents - exact).square().sum())
    assert ours**0.5 <= 1.25 * theirs**0.5


def test_the_miniature_model_paints_what_stock_diffusers_paints(tmp_path: Path) -> None:
    def tiny() -> Any:
        return StableDiffusionPipeline.from_pretrained(TINY_MODEL, dtype=torch.float32, local_files_only=True)

    first = diffusers_lora(
        tmp_path / "first.safetensors", tiny(), seed=1, text_encoder=("q_proj", "v_proj"), r=8, lora_alpha=8, size=0.03
    )
    second = kohya_lora(tmp_path / "second.safetensors", tiny(), seed=2, unet=EVERYTHING, text_encoder=TEXT, size=0.03)
    loras = [(first, 0.9), (second, 0.4)]
    request = a_request(prompt="a large red circle on a white background", width=128, height=128, steps=3)
    expected = stock(tiny(), loras, request)
    model = StableDiffusion(tiny())
    ours = denoise(model, a_job(model, loras, request))
    assert difference(ours, expected) < 1e-4
    assert difference(stock(tiny(), [], request), expected) > 1e-2
    with torch.inference_mode():
        pictures = [np.asarray(model._vae.decode(latents).sample) for latents in (ours, expected)]
    assert np.abs(pictures[0] - pictures[1]).max() < 1e-3


def test_reading_copies_so_that_the_file_may_go(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "copy.safetensors"
    path.write_bytes(files["attention"].read_bytes())
    pipeline = random_stable_diffusion()
    lora = read_lora(path, "a", TargetModules(pipeline.unet, pipeline.text_encoder))
    before = {name: (layer.down.clone(), layer.up.clone()) for name, layer in lora.layers[Part.UNET].items()}
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
    for name, layer in lora.layers[Part.UNET].items():
        assert torch.equal(layer.down, before[name][0])
        assert torch.equal(layer.up, before[name][1])
    assert lora.bytes == sum(down.nbytes + up.nbytes for down, up in before.values())
