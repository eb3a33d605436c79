"""The figures of LoRAs in one batch."""

from __future__ import annotations

import pytest

from deploy.local import lora_bench


def test_measures_together_apart_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_bench, "ROUNDS", 2)
    monkeypatch.setattr(lora_bench, "SAMPLES", 3)
    together, apart, ratio, cost = lora_bench.lora_batches()
    assert (together.unit, apart.unit, ratio.unit, cost.unit) == ("ms", "ms", "x", "x")
    assert ratio.goal == ">= 1.3"
    assert 0 < together.value < 10_000
    assert ratio.holds == (ratio.value >= 1.3)


def test_a_batch_that_leaks_is_no_figure() -> None:
    import torch

    with pytest.raises(RuntimeError, match="other predictions"):
        lora_bench._check_equal([torch.zeros(1)], [torch.ones(1)])
