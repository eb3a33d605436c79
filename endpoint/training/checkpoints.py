"""What lets an interrupted training go on: everything it has become, in one file, written whole or not at all."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

log = logging.getLogger(__name__)

_KEPT = 2
_RUNS = "runs"


@dataclass
class TrainingState:
    """A training after `len(losses)` steps. `seconds` are of training alone, over all runs."""

    parameters: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Checkpoints:
    """The newest states of one training. `identity` says which: a state of another one is never taken up."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder, self._identity = folder, identity
        folder.mkdir(parents=True, exist_ok=True)

    def count_run(self) -> int:
        """How many runs began before this one, counting this one from now on."""
        path = self._folder / _RUNS
        try:
            before = int(path.read_text())
        except (OSError, ValueError):
            before = 0
        _replace(path, str(before + 1).encode())
        return before

    def save(self, state: TrainingState) -> None:
        """Survives the loss of the machine right after it. The one before stays too: a copy may have been cut off."""
        step = len(state.losses)
        path = self._folder / f"step-{step:06}.pt"
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            torch.save({"identity": self._identity, "step": step, **vars(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        for old in self._newest_first()[_KEPT:]:
            old.unlink(missing_ok=True)

    def load(self) -> TrainingState | None:
        """The newest state that is whole and of this training."""
        for path in self._newest_first():
            try:
                saved = torch.load(path, map_location="cpu", weights_only=True)
                if saved.pop("identity") == self._identity and saved.pop("step") == len(saved["losses"]):
                    return TrainingState(**saved)
                log.warning("checkpoint of another training left alone", extra={"checkpoint": path.name})
            except Exception:  # whatever torch makes of a file that was cut off
                log.warning("checkpoint is damaged", extra={"checkpoint": path.name})
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.glob("step-*.pt"), reverse=True)


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
