"""Work on the device beside the engine's: tensors are made ready without waiting for its steps, or they for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch


@contextlib.contextmanager
def aside(device: torch.device) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Gives a function that moves a tensor to the device; after the block, what it gave may be used anywhere."""
    if device.type != "cuda":
        with torch.no_grad():
            yield lambda tensor: tensor.to(device)
        return
    stream = torch.cuda.Stream(device)
    moved: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        moved.append(tensor.to(device))
        return moved[-1]

    with torch.no_grad(), torch.cuda.stream(stream):
        yield keep
        stream.synchronize()
    for tensor in moved:
        # The engine uses them on the default stream: their memory is free for others only when that is done.
        tensor.record_stream(torch.cuda.default_stream(device))
