"""Learning-rate schedule and checkpoints, so that a training that was cut off loses little."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Protocol

import torch


class HasState(Protocol):
    """A module, an optimizer, anything with torch's state dictionary."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


def one_cycle(step: int, steps: int, peak: float, warm_up: float = 0.1) -> float:
    """The learning rate at a step: a linear rise over `warm_up` of all steps, then a cosine down to nearly 0."""
    at = (step + 1) / steps
    if at < warm_up:
        return peak * (0.04 + 0.96 * at / warm_up)
    return peak * (0.002 + 0.998 * 0.5 * (1 + math.cos(math.pi * (at - warm_up) / (1 - warm_up))))


class Checkpoint:
    """One file with the state of several parts and the number of finished steps; replaced whole or not at all."""

    def __init__(self, path: Path, **parts: HasState) -> None:
        self._path, self._parts = path, parts

    def load(self) -> int:
        """Restores the parts. Returns the finished steps, 0 where there is no checkpoint."""
        if not self._path.exists():
            return 0
        saved = torch.load(self._path, weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(saved[name])
        return int(saved["step"])

    def save(self, step: int) -> None:
        """Writes the parts, with `step` steps finished."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        torch.save({"step": step} | {name: part.state_dict() for name, part in self._parts.items()}, partial)
        partial.replace(self._path)
