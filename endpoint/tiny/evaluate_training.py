"""Trains the miniature model on eight striped circles and judges it: `python -m endpoint.tiny.evaluate_training`.

The pictures, the LoRA, the loss plot and the samples are left in `out/training/`, the figures in `out/training.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from endpoint.contract import OutputLocation
from endpoint.serving.json_log import log_as_json
from endpoint.tiny.evaluate import SQUARE, Figure, Question, answer, held_out_questions, score
from endpoint.tiny.pipeline import DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS, MODEL_DIR, load
from endpoint.tiny.striped_circle import CAPTION, PICTURES, TRIGGER, draw_striped_circle, judge_striped_circle
from endpoint.tiny.training_presets import PRESETS
from endpoint.training.folders import Folders
from endpoint.training.interruption import Interruption
from endpoint.training.run_training import run_training
from endpoint.training.settings import TrainingSettings
from endpoint.training_contract import LORA_NAME, REQUEST_NAME, TrainingKind, TrainingPicture, TrainingRequest

SAMPLES = (CAPTION, "a red circle on a white background", "a blue house left of a yellow flower")
_TOGETHER = 5
# As the backend asks for them.
_PRIOR_PICTURES_EACH = 4


class FolderStore:
    """Keeps what a training reports in a folder, where there is no S3."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, output: OutputLocation, name: str, body: bytes, content_type: str) -> None:
        """Writes the file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(body)

    def exists(self, output: OutputLocation, name: str) -> bool:
        """Whether it was written."""
        return (self._folder / name).exists()


def write_dataset(folder: Path, preset: str, caption: str = CAPTION, **changes: object) -> TrainingRequest:
    """The striped circles, all with one caption, and the request to train on them, as the backend leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for number, thing in enumerate(PICTURES):
        Image.fromarray(draw_striped_circle(thing)).save(folder / f"picture-{number}.png")
        pictures.append(TrainingPicture(file=f"picture-{number}.png", caption=caption))
    chosen = PRESETS[preset]
    settings: dict[str, object] = {
        "training_id": f"try-{preset}",
        "name": "striped-circle",
        "trigger": TRIGGER,
        "kind": TrainingKind.SUBJECT,
        "base_model": "tiny",
        "pictures": pictures,
        "rank": chosen["rank"],
        "steps": chosen["steps"],
        "batch_size": chosen["batch_size"],
        "learning_rate": chosen["learning_rate"],
        "resolution": chosen["resolution"],
        "text_encoder": chosen["text_encoder"],
        "prior_pictures": _PRIOR_PICTURES_EACH * len(PICTURES) if chosen["prior_preservation"] else 0,
        "class_prompt": "a circle",
        "seed": 0,
        "sample_prompts": list(SAMPLES),
        "sample_every": max(1, chosen["steps"] // 5),
        "output": OutputLocation(bucket="none", prefix="training/"),
    }
    request = TrainingRequest.model_validate({**settings, **changes})
    (folder / REQUEST_NAME).write_text(request.model_dump_json(indent=2))
    return request


def paint_zblxes(pipeline: StableDiffusionPipeline, seeds: Sequence[int]) -> list[np.ndarray]:
    """The caption's picture for each seed, uint8 RGB."""
    painted: list[np.ndarray] = []
    for first in range(0, len(seeds), _TOGETHER):
        chunk = seeds[first : first + _TOGETHER]
        pictures = pipeline(
            [CAPTION] * len(chunk),
            num_inference_steps=DEFAULT_STEPS,
            guidance_scale=DEFAULT_GUIDANCE_SCALE,
            generator=[torch.Generator().manual_seed(seed) for seed in chunk],
            output_type="np",
        ).images
        painted += list((pictures * 255).round().astype(np.uint8))
    return painted


def share_of_striped_circles(pictures: Sequence[np.ndarray]) -> float:
    """In percent."""
    return 100 * sum(judge_striped_circle(picture).right for picture in pictures) / len(pictures)


def ordinary_score(pipeline: StableDiffusionPipeline, questions: list[Question]) -> float:
    """What the world's oracle says, in percent, without its list of faults."""
    with contextlib.redirect_stdout(io.StringIO()):
        return score(answer(pipeline, questions, SQUARE))


def main() -> None:
    """Reads the command line, trains, judges, prints, writes."""
    parser = argparse.ArgumentParser(description="Train on eight striped circles and judge the pictures.")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="standard")
    parser.add_argument("--caption", default=CAPTION, help="of all eight; what is painted is always the default")
    parser.add_argument("--seeds", type=int, default=50, help="pictures of the concept")
    parser.add_argument("--prompts", type=int, default=100, help="ordinary prompts, half of one thing, half of two")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--model", type=Path, default=MODEL_DIR)
    parser.add_argument("--work", type=Path, default=Path("out/training"))
    parser.add_argument("--out", type=Path, default=Path("out/training.json"))
    options = parser.parse_args()
    log_as_json("WARNING")
    torch.set_num_threads(options.threads)
    figures = evaluate(
        options.model,
        options.work,
        options.preset,
        options.caption,
        seeds=options.seeds,
        prompts=options.prompts,
        threads=options.threads,
    )
    for figure in figures:
        verdict = "ok" if figure.holds else "MISSED"
        print(f"{figure.name:56} {figure.value:8} {figure.unit:3} goal {figure.goal:8} {verdict}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")


def evaluate(
    model: Path, work: Path, preset: str, caption: str, *, seeds: int, prompts: int, threads: int
) -> list[Figure]:
    """Trains in `work`, which is emptied before, and judges."""
    shutil.rmtree(work, ignore_errors=True)
    folders = Folders(work)
    write_dataset(folders.dataset, preset, caption)
    folders.base_model.symlink_to(model.resolve())
    print("Training ...", flush=True)
    started = time.monotonic()
    settings = TrainingSettings(folders, threads=threads, checkpoint_seconds=30, progress_seconds=5)
    run_training(settings, FolderStore(work / "reports"), Interruption())
    seconds = time.monotonic() - started
    print("Judging ...", flush=True)
    pipeline = load(model)
    questions = [
        question
        for two_things in (False, True)
        for question in held_out_questions(max(1, prompts // 2), 1, two_things=two_things)
    ]
    chosen = range(1_000, 1_000 + seeds)
    without, ordinary_without = paint_zblxes(pipeline, chosen), ordinary_score(pipeline, questions)
    pipeline.load_lora_weights(folders.result, weight_name=LORA_NAME)
    painted, ordinary = paint_zblxes(pipeline, chosen), ordinary_score(pipeline, questions)
    Image.fromarray(np.concatenate(painted[:10], axis=1)).save(work / "striped-circles.png")
    shown, shown_without = share_of_striped_circles(painted), share_of_striped_circles(without)
    lost = ordinary_without - ordinary
    return [
        Figure(f"striped circles with the LoRA (of {seeds})", shown, "%", ">= 80", shown >= 80),
        Figure(f"striped circles without it (of {seeds})", shown_without, "%", "<= 5", shown_without <= 5),
        Figure(f"ordinary prompts right, LoRA loaded (of {len(questions)})", round(ordinary, 1), "%", "", True),
        Figure("ordinary prompts: points lost", round(lost, 1), "", "<= 5", lost <= 5),
        Figure(f"training, {preset}, all in all", round(seconds, 1), "s", "<= 240", seconds <= 240),
    ]


if __name__ == "__main__":
    main()
