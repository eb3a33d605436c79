"""Judges the miniature model: `python -m endpoint.tiny.evaluate [--prompts N] [--seed S]`.

Prompts are of scenes whose words were kept out of training (`world.is_held_out`), said at random, with seeds of their
own. The oracle looks at the pixels alone. Prints a table and writes `out/tiny.json`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from endpoint.tiny.captions import random_caption
from endpoint.tiny.draw import NATIVE_SIZE
from endpoint.tiny.oracle import judge
from endpoint.tiny.pipeline import DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS, MODEL_DIR, load
from endpoint.tiny.world import Scene, is_held_out, sample_scene

SQUARE, WIDE = (NATIVE_SIZE, NATIVE_SIZE), (320, 208)
_TOGETHER = 4


@dataclass(frozen=True)
class Figure:
    """One measured figure, and whether it reaches its goal."""

    name: str
    value: float
    unit: str
    goal: str
    holds: bool


@dataclass(frozen=True)
class Question:
    """A prompt, the scene that it means, and the seed to draw it with."""

    prompt: str
    scene: Scene
    seed: int


def held_out_questions(count: int, seed: int, *, two_things: bool) -> list[Question]:
    """Seeded prompts of held-out scenes, every kind, colour and size as likely as the next."""
    rng = random.Random(f"questions {seed} {two_things}")
    questions: list[Question] = []
    while len(questions) < count:
        scene = sample_scene(rng, two_things=two_things, hard=False)
        if is_held_out(scene):
            questions.append(Question(random_caption(scene, rng), scene, rng.randrange(2**31)))
    return questions


def answer(
    pipeline: StableDiffusionPipeline,
    questions: list[Question],
    size: tuple[int, int],
    *,
    steps: int = DEFAULT_STEPS,
    guidance_scale: float = DEFAULT_GUIDANCE_SCALE,
) -> Iterator[tuple[Question, np.ndarray]]:
    """Each question with the picture (uint8 RGB) that the model draws for it."""
    for at in range(0, len(questions), _TOGETHER):
        chunk = questions[at : at + _TOGETHER]
        pictures = pipeline(
            [question.prompt for question in chunk],
            width=size[0],
            height=size[1],
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=[torch.Generator().manual_seed(question.seed) for question in chunk],
            output_type="np",
        ).images
        yield from zip(chunk, (pictures * 255).round().astype(np.uint8), strict=True)


def score(answers: Iterator[tuple[Question, np.ndarray]], show: Counter[str] | None = None) -> float:
    """The share of right pictures, in percent. Prints the faults; counts into `show` which kinds of thing had them."""
    verdicts = []
    for question, picture in answers:
        verdict = judge(picture, question.scene)
        verdicts.append(verdict.right)
        if not verdict.right:
            print(f"  wrong: {question.prompt!r} (seed {question.seed}): {'; '.join(verdict.faults)}", flush=True)
            if show is not None:
                show.update(
                    thing.kind for thing in question.scene.things if any(thing.kind in f for f in verdict.faults)
                )
    return 100 * sum(verdicts) / len(verdicts)


def seconds_per_picture(pipeline: StableDiffusionPipeline, repeats: int = 5) -> float:
    """The median time for one picture alone at the default steps, after a warm-up."""
    times = []
    for repeat in range(repeats + 1):
        started = time.perf_counter()
        pipeline(
            "a small red star on a white background",
            num_inference_steps=DEFAULT_STEPS,
            guidance_scale=DEFAULT_GUIDANCE_SCALE,
            generator=torch.Generator().manual_seed(repeat),
        )
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def main() -> None:
    """Reads the command line, judges, prints, writes."""
    parser = argparse.ArgumentParser(description="Judge the miniature model by its pixels on held-out prompts.")
    parser.add_argument("--prompts", type=int, default=200, help="half of them with one thing, half with two")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    parser.add_argument("--guidance", type=float, default=DEFAULT_GUIDANCE_SCALE)
    parser.add_argument("--model", type=Path, default=MODEL_DIR)
    parser.add_argument("--out", type=Path, default=Path("out/tiny.json"))
    options = parser.parse_args()
    pipeline = load(options.model)
    half, kinds = max(1, options.prompts // 2), Counter[str]()
    settings = {"steps": options.steps, "guidance_scale": options.guidance}
    one = held_out_questions(half, options.seed, two_things=False)
    two = held_out_questions(half, options.seed, two_things=True)
    wide = held_out_questions(max(1, half // 4), options.seed + 1, two_things=False)
    single = score(answer(pipeline, one, SQUARE, **settings), kinds)
    pair = score(answer(pipeline, two, SQUARE, **settings), kinds)
    other = score(answer(pipeline, wide, WIDE, **settings))
    seconds = seconds_per_picture(pipeline)
    figures = [
        Figure(f"single-thing prompts right (of {len(one)})", round(single, 1), "%", ">= 97", single >= 97),
        Figure(f"two-thing prompts right (of {len(two)})", round(pair, 1), "%", ">= 90", pair >= 90),
        Figure(f"single-thing prompts right at 320x208 (of {len(wide)})", round(other, 1), "%", ">= 75", other >= 75),
        Figure("time per picture", round(seconds, 2), "s", "<= 2", seconds <= 2),
    ]
    if kinds:
        print("things in wrong pictures: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    for figure in figures:
        print(
            f"{figure.name:48} {figure.value:8} {figure.unit:3} goal {figure.goal:6}",
            "ok" if figure.holds else "MISSED",
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")


if __name__ == "__main__":
    main()
