"""A training that takes no time and does as its hyperparameters say.

`steps`, `step_seconds`; `fail_at` (a step; with `failure`, a sentence for the failure file, and `status`), `die_at` (by
SIGKILL of itself), `deaf` (SIGTERM changes nothing). It keeps its step in a checkpoint, goes on from there, and leaves
in `facts.json` of its model what it found and did.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

base = Path(os.environ["SAGEMAKER_BASE_DIR"])
given = json.loads((base / "input/config/hyperparameters.json").read_text())
checkpoint = base / "checkpoints" / "step"


def train() -> None:
    first = int(checkpoint.read_text()) if checkpoint.exists() else 0
    steps, pause = int(given.get("steps", 2)), float(given.get("step_seconds", 0.02))
    print("trains from step", first, flush=True)
    for step in range(first, steps):
        if str(step) == given.get("fail_at"):
            fail()
        if str(step) == given.get("die_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(pause)
        save(step + 1)
        print(f"step={step + 1} loss={1 / (step + 1):.3f}", flush=True)
    facts = {
        "first": first,
        "hyperparameters": given,
        "resources": json.loads((base / "input/config/resourceconfig.json").read_text()),
        "channels": json.loads((base / "input/config/inputdataconfig.json").read_text()),
        "files": sorted(path.relative_to(base / "input/data").as_posix() for path in files(base / "input/data")),
        "job": os.environ["TRAINING_JOB_NAME"],
        "credentials": os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        "environment": os.environ.get("GIVEN"),
    }
    write(base / "model" / "facts.json", json.dumps(facts))
    write(base / "model" / "nested" / "weights", "w" * 10)
    write(base / "output" / "data" / "notes.txt", "aside")


def save(step: int) -> None:
    partial = checkpoint.with_suffix(".partial")
    write(partial, str(step))
    partial.replace(checkpoint)


def fail() -> None:
    if "failure" in given:
        write(base / "output" / "failure", given["failure"])
    sys.exit(int(given.get("status", 1)))


def end(number: int, frame: FrameType | None) -> None:
    print("was asked to end", flush=True)
    write(base / "model" / "half", "what there is so far")
    write(base / "checkpoints" / "asked", "to end")
    sys.exit(3)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


signal.signal(signal.SIGTERM, signal.SIG_IGN if given.get("deaf") else end)
