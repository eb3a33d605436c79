"""Training in several single-threaded processes, each with its share of the batch.

On a few shared cores this is much faster than threads within each operation: processes wait for one another once a step
instead of hundreds of times.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn


@dataclass(frozen=True)
class Worker:
    """One process of a training: its number from 0, and how many there are."""

    number: int
    count: int

    @property
    def leads(self) -> bool:
        """Whether this is the one that prints and saves."""
        return self.number == 0

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Gives every process the mean of all processes' gradients. All must call it."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        at = 0
        for gradient in gradients:
            gradient.copy_(flat[at : at + gradient.numel()].view(gradient.shape))
            at += gradient.numel()

    def wait_for_all(self) -> None:
        """Returns when every process has called it."""
        if self.count > 1:
            dist.barrier()


def run_workers(count: int, train: Callable[..., None], *arguments: Any) -> None:
    """Calls `train(worker, *arguments)` in `count` fresh processes and waits. Raises if one of them fails."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(_start, args=(count, str(Path(folder) / "rendezvous"), train, arguments), nprocs=count, join=True)


def _start(number: int, count: int, rendezvous: str, train: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=number, world_size=count)
    try:
        train(Worker(number, count), *arguments)
    finally:
        dist.destroy_process_group()
