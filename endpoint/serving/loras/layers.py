"""Each picture's own LoRAs in a forward that several pictures share.

For as long as a batch runs, the modules that its LoRAs change add what these give, row by row: one LoRA by two small
products, different ones by stacked `down`s and `up`s in a batched product (`bmm`), so that eight LoRAs cost two kernels
a module and not sixteen. Rows without LoRAs are left as they are, and a batch without any runs the model untouched.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from endpoint.serving.loras.low_rank import Key, LoraSet, LowRank
from endpoint.serving.loras.naming import Part
from endpoint.serving.loras.target_modules import Target, is_pointwise

# Where more pictures run than a step takes, a few batches take turns.
_KEPT_PLANS = 4

Addition = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From a module's input and output to the output with LoRAs, in place."""


class LoraLayers:
    """Applies LoRA sets to one part of a model. For one thread."""

    def __init__(self, part: Part, targets: Mapping[str, Target]) -> None:
        self._part = part
        self._targets = targets
        self._plans: OrderedDict[tuple[Key | None, ...], _Plan] = OrderedDict()

    @contextlib.contextmanager
    def applied(self, rows: Sequence[LoraSet | None]) -> Iterator[None]:
        """Within the block, row `i` of what the part is called with runs under `rows[i]`."""
        sets = [each if each is not None and each.layers.get(self._part) else None for each in rows]
        if not any(sets):
            yield
            return
        changed: list[tuple[dict[str, object], object]] = []
        try:
            for name, addition in self._plan(sets).items():
                target = self._targets[name]
                attributes = target.__dict__
                changed.append((attributes, attributes.get("forward")))
                # Not through `__setattr__`: it is slow, and there are hundreds of modules.
                attributes["forward"] = partial(_forward, target.forward, addition, len(sets))
            yield
        finally:
            for attributes, before in changed:
                if before is None:
                    attributes.pop("forward", None)
                else:
                    attributes["forward"] = before

    def forget(self) -> None:
        """Let go of what was stacked."""
        self._plans.clear()

    def _plan(self, sets: Sequence[LoraSet | None]) -> Mapping[str, Addition]:
        # Nothing that a finished picture needed is kept.
        for key in [key for key, plan in self._plans.items() if plan.outdated]:
            del self._plans[key]
        key = tuple(None if each is None else each.keys[self._part] for each in sets)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _Plan(self._additions(sets, key), [weakref.ref(each) for each in sets if each])
            if len(self._plans) > _KEPT_PLANS:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        return plan.additions

    def _additions(self, sets: Sequence[LoraSet | None], key: Sequence[Key | None]) -> dict[str, Addition]:
        runs = _runs(key)
        layers = {run: sets[run.start].layers[self._part] for run in runs if sets[run.start]}  # type: ignore[union-attr]
        names = dict.fromkeys(name for each in layers.values() for name in each)
        additions: dict[str, Addition] = {}
        for name in names:
            target = self._targets[name]
            changed = [(run, layer[name]) for run, layer in layers.items() if name in layer]
            if not is_pointwise(target):
                additions[name] = partial(_add_convolved, target, changed)
            elif len(changed) == len(runs) == 1:
                additions[name] = partial(_add_same, changed[0][1])
            else:
                additions[name] = _Stacked.of(changed, len(sets), target.weight.device).add
        return additions


@dataclass(frozen=True)
class _Plan:
    additions: Mapping[str, Addition]
    sets: Sequence[weakref.ref[LoraSet]]

    @property
    def outdated(self) -> bool:
        return any(each() is None for each in self.sets)


@dataclass(frozen=True)
class _Run:
    """Neighbouring rows with the same LoRAs: a picture's two rows under guidance, or several pictures' rows."""

    start: int
    length: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.length)


def _runs(keys: Sequence[Key | None]) -> list[_Run]:
    runs: list[_Run] = []
    for row, key in enumerate(keys):
        if runs and key == keys[row - 1]:
            runs[-1] = _Run(runs[-1].start, runs[-1].length + 1)
        else:
            runs.append(_Run(row, 1))
    return runs


def _forward(
    original: Callable[[torch.Tensor], torch.Tensor], addition: Addition, rows: int, input: torch.Tensor
) -> torch.Tensor:
    if input.shape[0] != rows:
        raise RuntimeError(f"a module was called with {input.shape[0]} rows where the batch has {rows}")
    return addition(input, original(input))


def _add_same(layer: LowRank, input: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """Every row has the same LoRAs."""
    tokens = _tokens(input)
    return _add(output, functional.linear(functional.linear(tokens, layer.down), layer.up))


def _add_convolved(
    target: Target, changed: Sequence[tuple[_Run, LowRank]], input: torch.Tensor, output: torch.Tensor
) -> torch.Tensor:
    """Convolutions over several pixels, run by run: seldom, and a grouped convolution would be no faster."""
    assert isinstance(target, torch.nn.Conv2d)
    for run, layer in changed:
        inner = functional.conv2d(input[run.rows], layer.down, None, target.stride, target.padding, target.dilation)
        output[run.rows] += functional.conv2d(inner, layer.up[:, :, None, None])
    return output


@dataclass(frozen=True)
class _Stacked:
    """`down`: entries × inputs × rank, `up`: entries × rank × outputs, smaller ranks filled with zeros.

    An entry is for as many neighbouring rows as every other. `rows`: those that have LoRAs, None for all.
    """

    down: torch.Tensor
    up: torch.Tensor
    rows: torch.Tensor | None

    @staticmethod
    def of(changed: Sequence[tuple[_Run, LowRank]], rows: int, device: torch.device) -> _Stacked:
        if len({run.length for run, _ in changed}) > 1:
            changed = [
                (_Run(row, 1), layer) for run, layer in changed for row in range(run.start, run.start + run.length)
            ]
        rank = max(layer.rank for _, layer in changed)
        layers = [_with_rank(layer, rank) for _, layer in changed]
        down = torch.stack([layer.down for layer in layers])
        up = torch.stack([layer.up for layer in layers])
        touched = [row for run, _ in changed for row in range(run.start, run.start + run.length)]
        return _Stacked(
            down.transpose(1, 2),
            up.transpose(1, 2),
            None if len(touched) == rows else torch.tensor(touched, device=device),
        )

    def add(self, input: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        tokens = _tokens(input if self.rows is None else input.index_select(0, self.rows))
        entries = tokens.reshape(self.down.shape[0], -1, tokens.shape[-1])
        added = torch.bmm(torch.bmm(entries, self.down), self.up).reshape(*tokens.shape[:-1], -1)
        return _add(output, added, self.rows)


def _with_rank(layer: LowRank, rank: int) -> LowRank:
    missing = rank - layer.rank
    if not missing:  # the usual case, and padding by nothing would copy
        return layer
    return LowRank(functional.pad(layer.down, (0, 0, 0, missing)), functional.pad(layer.up, (0, missing)))


def _tokens(input: torch.Tensor) -> torch.Tensor:
    """Channels last: a picture's pixels are tokens."""
    return input.permute(0, 2, 3, 1) if input.ndim == 4 else input


def _add(output: torch.Tensor, added: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
    added = added.permute(0, 3, 1, 2) if output.ndim == 4 else added
    return output.add_(added) if rows is None else output.index_add_(0, rows, added)
