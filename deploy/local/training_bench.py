"""Figures of `make bench`: what a training step costs, against the loop of diffusers' example script."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deploy.local.figures import Figure, at_least

ROUNDS = 7
STEPS_A_ROUND = 4
GOAL_RATIO = 1.5


def training_steps() -> list[Figure]:
    """The same model, pictures, layers, rank and batch, in turns; the median of the rounds' ratios."""
    # torch takes seconds to import, and the rest of the figures need none of it.
    import torch

    from deploy.local.stock_lora_loop import stock_steps
    from endpoint.tiny.evaluate_training import write_dataset
    from endpoint.tiny.pipeline import MODEL_DIR
    from endpoint.training.base_model import load_base_model
    from endpoint.training.dataset import read_pictures
    from endpoint.training.encoded import EncodedSet, encode_pictures
    from endpoint.training.interruption import Interruption
    from endpoint.training.lora import UNET_LAYERS, Lora
    from endpoint.training.trainer import Trainer

    print(f"Training steps, {ROUNDS * STEPS_A_ROUND} of each in turns ...", flush=True)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder)
        request = write_dataset(dataset, "standard", prior_pictures=0, steps=10_000)
        captions = [picture.caption for picture in request.pictures]
        model = load_base_model(MODEL_DIR)
        started = time.perf_counter()
        latents = encode_pictures(model, read_pictures(dataset, request, 16), Interruption())
        encoding = time.perf_counter() - started
        trainer = Trainer(model, Lora(model, request), EncodedSet(latents, captions, [], []), request)

        def stock(memory_format: torch.memory_format) -> Callable[[], object]:
            steps = stock_steps(
                MODEL_DIR,
                [dataset / picture.file for picture in request.pictures],
                captions,
                layers=UNET_LAYERS,
                rank=request.rank,
                resolution=request.resolution,
                batch_size=request.batch_size,
                memory_format=memory_format,
            )
            return lambda: next(steps)

        loops = (trainer.step, stock(torch.contiguous_format), stock(torch.channels_last))
        ours, theirs, alike = _in_turns(loops)
    return [
        Figure("training step, median", round(statistics.median(ours) * 1000, 1), "ms"),
        Figure("training step of diffusers' script, median", round(statistics.median(theirs) * 1000, 1), "ms"),
        at_least("training step: times as fast", _ratio(theirs, ours), "x", GOAL_RATIO),
        at_least("training step: by caching alone", _ratio(alike, ours), "x", GOAL_RATIO),
        Figure("training: pictures encoded, once", round(encoding, 2), "s"),
    ]


def _in_turns(loops: tuple[Callable[[], object], ...]) -> list[list[float]]:
    """Seconds a step of each loop, a list of rounds each, after a warm-up."""
    times: list[list[float]] = [[] for _ in loops]
    for loop in loops:
        loop()
        loop()
    for _ in range(ROUNDS):
        for loop, taken in zip(loops, times, strict=True):
            started = time.perf_counter()
            for _ in range(STEPS_A_ROUND):
                loop()
            taken.append((time.perf_counter() - started) / STEPS_A_ROUND)
    return times


def _ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(slow, fast, strict=True))
