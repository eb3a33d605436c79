"""Any mixture of LoRAs in a batch gives each row what its own LoRAs alone would give it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from endpoint.serving.loras.layers import LoraLayers
from endpoint.serving.loras.low_rank import Lora, LoraSet, LowRank, combine
from endpoint.serving.loras.naming import Part

WIDTH = 6


class SmallModel(nn.Module):
    """Each kind of module that LoRAs change, in the shapes that a UNet calls them with."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Linear(WIDTH, WIDTH)
        self.down = nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.pixel = nn.Conv2d(WIDTH, WIDTH, 1)
        self.token = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, images: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """Rows × channels × 8 × 8 and rows × channels to rows × 16 tokens × channels."""
        inner: torch.Tensor = self.down(images) + self.embedding(vectors)[:, :, None, None]
        return self.token(self.pixel(inner).flatten(2).transpose(1, 2))


MODEL = SmallModel().eval()
TARGETS = {name: module for name, module in MODEL.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}


def a_lora(name: str, rank: int, modules: Sequence[str]) -> Lora:
    generator = torch.Generator().manual_seed(rank)
    layers = {
        module: LowRank(
            torch.randn(rank, WIDTH, *([3, 3] if module == "down" else []), generator=generator),
            torch.randn(WIDTH, rank, generator=generator),
        )
        for module in modules
    }
    return Lora(name, {Part.UNET: layers})


LORAS = [
    a_lora("every", 2, list(TARGETS)),
    a_lora("linear", 3, ["embedding", "token"]),
    a_lora("convolutions", 5, ["down", "pixel"]),
    a_lora("token", 1, ["token"]),
    Lora("text", {Part.TEXT_ENCODER: {"q_proj": LowRank(torch.ones(1, 2), torch.ones(2, 1))}}),
]
SETS: list[LoraSet | None] = [
    None,
    *(combine([(lora, 0.7)]) for lora in LORAS),
    combine([(LORAS[0], 1.0), (LORAS[1], -0.5), (LORAS[3], 0.3)]),
    combine([(LORAS[1], 0.2)]),
]


def merged(chosen: LoraSet | None) -> SmallModel:
    """The model with the products added to its weights."""
    model = SmallModel().eval()
    if chosen:
        for name, layer in chosen.layers.get(Part.UNET, {}).items():
            weight = getattr(model, name).weight
            weight.data += (layer.up @ layer.down.flatten(1)).reshape(weight.shape)
    return model


MERGED = [merged(chosen) for chosen in SETS]


@settings(deadline=None, max_examples=80)
@given(rows=st.lists(st.integers(0, len(SETS) - 1), min_size=1, max_size=9), seed=st.integers(0, 100))
def test_each_row_has_its_own(rows: list[int], seed: int) -> None:
    layers = LoraLayers(Part.UNET, TARGETS)
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(len(rows), WIDTH, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
    vectors = torch.randn(len(rows), WIDTH, generator=generator)
    with torch.inference_mode():
        plain = MODEL(images, vectors)
        for _ in range(2):  # made, and found again
            with layers.applied([SETS[each] for each in rows]):
                output = MODEL(images, vectors)
            for row, each in enumerate(rows):
                alone = MERGED[each](images[row : row + 1], vectors[row : row + 1])[0]
                assert (output[row] - alone).abs().max() <= 1e-5 * max(1.0, float(alone.abs().max()))
                if SETS[each] is None:
                    assert torch.equal(output[row], plain[row])
        assert torch.equal(MODEL(images, vectors), plain)


def test_few_batches_are_kept_and_none_of_sets_that_are_gone() -> None:
    layers = LoraLayers(Part.UNET, TARGETS)
    for count in range(1, 9):
        with layers.applied([SETS[1]] * count):
            pass
    assert len(layers._plans) == 4
    passing = combine([(LORAS[0], 0.9)])
    with layers.applied([passing]):
        pass
    assert any(plan.sets[0]() is passing for plan in layers._plans.values())
    del passing
    with layers.applied([SETS[2]]):
        pass
    assert all(plan.sets[0]() in (SETS[1], SETS[2]) for plan in layers._plans.values())
    layers.forget()
    assert not layers._plans


def test_a_batch_of_another_size_than_was_said_is_an_error_and_no_wrong_picture() -> None:
    layers = LoraLayers(Part.UNET, TARGETS)
    with pytest.raises(RuntimeError, match="3 rows where the batch has 2"), layers.applied([SETS[1], SETS[2]]):
        MODEL(torch.zeros(3, WIDTH, 8, 8), torch.zeros(3, WIDTH))
    assert not [module for module in MODEL.modules() if "forward" in module.__dict__]
