"""How the step engine treats its jobs: in turns, each for itself, whatever happens to the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from typing import Any

import numpy as np
import pytest
import torch

from endpoint.serving.errors import InvocationFailed, cancelled
from endpoint.serving.paint_job import PaintJob
from endpoint.serving.sample import Sample
from endpoint.serving.stable_diffusion import StableDiffusion
from endpoint.serving.step_engine import StepEngine
from tests.fakes.generate_requests import a_request
from tests.fakes.random_checkpoint import random_stable_diffusion


class WatchedModel(StableDiffusion):
    """The real model; `before_step` sees (and may spoil) every batch, `batches` keeps their prompts."""

    def __init__(self) -> None:
        super().__init__(random_stable_diffusion())
        self.batches: list[list[str]] = []
        self.before_step: Callable[[list[Sample]], None] = lambda samples: None

    def predict(self, samples: Any) -> list[torch.Tensor]:
        self.batches.append([sample.job.request.prompt for sample in samples])
        self.before_step(list(samples))
        return super().predict(samples)


@pytest.fixture
def model() -> WatchedModel:
    return WatchedModel()


Start = Callable[..., tuple[StepEngine, list[PaintJob]]]


@pytest.fixture
def start(model: WatchedModel) -> Iterator[Start]:
    engines: list[StepEngine] = []

    def begin(*changes: dict[str, Any], max_batch: int = 1) -> tuple[StepEngine, list[PaintJob]]:
        engine = StepEngine(model, max_batch)
        jobs = [PaintJob(a_request(**each)) for each in changes]
        engine._waiting.extend(jobs)
        engine.start()
        engines.append(engine)
        return engine, jobs

    yield begin
    for engine in engines:
        engine.stop()


def failure(job: PaintJob) -> InvocationFailed:
    wait(job.pictures, 30)
    error = job.pictures[0].exception(0)
    assert isinstance(error, InvocationFailed)
    return error


def paint(job: PaintJob) -> list[np.ndarray]:
    return [picture.result(30) for picture in job.pictures]


def test_pictures_take_turns(model: WatchedModel, start: Start) -> None:
    _, jobs = start({"prompt": "long", "steps": 6}, {"prompt": "short", "steps": 2, "seeds": [1, 2]})
    for job in jobs:
        paint(job)
    assert [batch[0] for batch in model.batches[:7]] == ["long", "short", "short", "long", "short", "short", "long"]
    assert {len(batch) for batch in model.batches} == {1}


def test_a_picture_joins_the_running_batch_at_the_next_step(model: WatchedModel, start: Start) -> None:
    late = PaintJob(a_request(prompt="late", steps=2))
    engine_box: list[StepEngine] = []

    def join(samples: list[Sample]) -> None:
        if len(model.batches) == 3:
            engine_box[0].submit(late)

    model.before_step = join
    engine = StepEngine(model, 8)
    engine_box.append(engine)
    early = PaintJob(a_request(prompt="early", steps=8))
    engine._waiting.append(early)
    engine.start()
    paint(early), paint(late)
    engine.stop()
    assert [sorted(batch) for batch in model.batches] == ([["early"]] * 3 + [["early", "late"]] * 2 + [["early"]] * 3)


def test_sizes_are_never_mixed_in_a_batch_and_all_get_their_turn(model: WatchedModel, start: Start) -> None:
    _, jobs = start(
        {"prompt": "square", "seeds": [1, 2]}, {"prompt": "wide", "width": 96}, {"prompt": "square too"}, max_batch=8
    )
    for job in jobs:
        paint(job)
    assert len(model.batches) == 8
    assert all(("wide" in batch) == (batch == ["wide"]) for batch in model.batches)


def test_one_bad_picture_in_a_batch_fails_alone(model: WatchedModel, start: Start) -> None:
    def spoil(samples: list[Sample]) -> None:
        if any(sample.job.request.prompt == "bad" for sample in samples):
            raise ValueError("secret detail of the model")

    model.before_step = spoil
    engine, (good, bad, other) = start({"prompt": "good"}, {"prompt": "bad"}, {"prompt": "good"}, max_batch=8)
    failed = failure(bad)
    assert (failed.code, failed.http_status) == ("model_failed", 500)
    assert "secret" not in failed.message
    assert failed.reference
    assert np.array_equal(paint(good)[0], paint(other)[0])
    assert engine.alive()


def test_not_a_number_is_a_failure_and_no_black_picture(model: WatchedModel, start: Start) -> None:
    def spoil(samples: list[Sample]) -> None:
        for sample in samples:
            if sample.job.request.prompt == "bad":
                sample.latents = sample.latents * float("nan")

    model.before_step = spoil
    _, (bad, good) = start({"prompt": "bad"}, {"prompt": "good"})
    assert failure(bad).code == "model_failed"
    paint(good)


def test_out_of_memory_makes_batches_smaller_before_anyone_fails(model: WatchedModel, start: Start) -> None:
    def spoil(samples: list[Sample]) -> None:
        if len(samples) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model.before_step = spoil
    _, jobs = start(*[{"prompt": str(index)} for index in range(4)], max_batch=8)
    for job in jobs:
        paint(job)
    assert len(model.batches[0]) == 4
    assert {len(batch) for batch in model.batches[5:]} == {2}


def test_out_of_memory_for_one_alone(model: WatchedModel, start: Start) -> None:
    def spoil(samples: list[Sample]) -> None:
        if samples[0].job.request.prompt == "huge":
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory")

    model.before_step = spoil
    engine, (huge, small) = start({"prompt": "huge"}, {"prompt": "small"})
    assert (failure(huge).code, failure(huge).http_status) == ("out_of_memory", 500)
    paint(small)
    assert engine.alive()


@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_cancelled_amid_a_step_it_ends_at_that_step(model: WatchedModel, start: Start, seeds: list[int]) -> None:
    def cancel(samples: list[Sample]) -> None:
        if len(model.batches) == 3:
            samples[0].job.stop(cancelled())

    model.before_step = cancel
    engine, (job,) = start({"steps": 150, "seeds": seeds})
    assert failure(job).code == "cancelled"
    assert all(isinstance(picture.exception(5), InvocationFailed) for picture in job.pictures)
    assert len(model.batches) == 3
    assert engine.alive()


def test_cancelled_while_it_waits_it_never_begins(model: WatchedModel) -> None:
    job = PaintJob(a_request())
    job.stop(cancelled())
    engine = StepEngine(model, 1)
    engine.start()
    engine.submit(job)
    assert failure(job).code == "cancelled"
    assert model.batches == []
    engine.stop()


def test_stopping_tells_everyone_and_refuses_the_rest(model: WatchedModel, start: Start) -> None:
    engine, jobs = start({"steps": 150}, {"steps": 150})
    while not model.batches:
        time.sleep(0.001)
    engine.stop()
    assert [failure(job).code for job in jobs] == ["unavailable"] * 2
    assert not engine.alive()
    with pytest.raises(InvocationFailed) as refused:
        engine.submit(PaintJob(a_request()))
    assert (refused.value.code, refused.value.http_status) == ("unavailable", 503)


def test_a_dead_thread_is_noticed_and_leaves_nobody_waiting(
    model: WatchedModel, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(self: StepEngine) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StepEngine, "paint_some", break_down)
    monkeypatch.setattr("threading.excepthook", lambda arguments: None)
    engine, (job,) = start({})
    assert failure(job).code == "unavailable"
    assert not engine.alive()


def test_progress_counts_all_pictures_in_the_requests_own_steps(model: WatchedModel, start: Start) -> None:
    seen: list[tuple[int, int]] = []

    def look(samples: list[Sample]) -> None:
        progress = samples[0].job.progress()
        seen.append((progress.step, progress.steps))

    model.before_step = look
    _, (job,) = start({"steps": 3, "seeds": [1, 2]})
    paint(job)
    assert seen == [(step, 6) for step in range(6)]
    assert job.progress().step == 6
    assert job.waited_seconds >= 0
    assert job.denoise_seconds > 0
    assert job.decode_seconds > 0


def test_a_prompt_is_encoded_once(model: WatchedModel, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    encode = model._pipeline.encode_prompt
    monkeypatch.setattr(
        model._pipeline, "encode_prompt", lambda text, *rest: encoded.append(text) or encode(text, *rest)
    )
    _, jobs = start({"prompt": "one", "seeds": [1, 2]}, {"prompt": "one", "guidance_scale": 1}, {"prompt": "two"})
    for job in jobs:
        paint(job)
    assert encoded == ["one", "", "two"]
