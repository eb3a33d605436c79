"""A LoRA file is read as it is meant, or refused with one clear reason."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from endpoint.serving.loras.errors import LoraUnusable
from endpoint.serving.loras.low_rank import Lora
from endpoint.serving.loras.naming import Part, Role
from endpoint.serving.loras.read_lora import METADATA_KEY, read_lora
from endpoint.serving.loras.target_modules import TargetModules
from tests.fakes.random_checkpoint import random_stable_diffusion

MODULE = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
OUT = MODULE.removesuffix("to_q") + "to_out.0"
TEXT_MODULE = "encoder.layers.0.self_attn.q_proj"
FLAT = "lora_unet_" + MODULE.replace(".", "_")


@pytest.fixture(scope="module")
def targets() -> TargetModules:
    pipeline = random_stable_diffusion()
    return TargetModules(pipeline.unet, pipeline.text_encoder)


Read = Callable[..., Lora]


@pytest.fixture
def read(targets: TargetModules, tmp_path: Path) -> Read:
    def write_and_read(tensors: dict[str, torch.Tensor], **metadata: str) -> Lora:
        path = tmp_path / "lora.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, metadata)
        return read_lora(path, "sha", targets)

    return write_and_read


def pair(down: str, up: str, rank: int = 2, inputs: int = 16, outputs: int = 16) -> dict[str, torch.Tensor]:
    return {down: torch.ones(rank, inputs), up: torch.ones(outputs, rank)}


NAMINGS = {
    "peft's": ("unet.{}.lora_A.weight", "unet.{}.lora_B.weight", MODULE),
    "diffusers'": ("unet.{}.lora.down.weight", "unet.{}.lora.up.weight", MODULE),
    "kohya's": ("{}.lora_down.weight", "{}.lora_up.weight", FLAT),
    "processors'": (
        "unet.{}.processor.to_q_lora.down.weight",
        "unet.{}.processor.to_q_lora.up.weight",
        MODULE.removesuffix(".to_q"),
    ),
    "kohya's text encoder, as with two": (
        "{}.lora_down.weight",
        "{}.lora_up.weight",
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj",
    ),
    "text encoder": ("text_encoder.{}.lora_A.weight", "text_encoder.{}.lora_B.weight", TEXT_MODULE),
    "text encoder, wrapped": (
        "text_encoder.text_model.{}.lora_linear_layer.down.weight",
        "text_encoder.text_model.{}.lora_linear_layer.up.weight",
        TEXT_MODULE,
    ),
    "text encoder, old": (
        "text_encoder.text_model.{}.to_q_lora.down.weight",
        "text_encoder.text_model.{}.to_q_lora.up.weight",
        TEXT_MODULE.removesuffix(".q_proj"),
    ),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_naming_names_the_same_module(read: Read, naming: str) -> None:
    down, up, module = NAMINGS[naming]
    text = "text" in naming
    size = 32 if text else 16
    lora = read(pair(down.format(module), up.format(module), inputs=size, outputs=size))
    ((part, layers),) = lora.layers.items()
    assert part is (Part.TEXT_ENCODER if text else Part.UNET)
    assert list(layers) == [TEXT_MODULE if text else MODULE]
    assert torch.equal(layers[next(iter(layers))].up, torch.ones(size, 2))


def test_every_module_of_the_model_is_found_in_both_namings(targets: TargetModules) -> None:
    for part, prefix in ((Part.UNET, "lora_unet_"), (Part.TEXT_ENCODER, "lora_te_text_model_")):
        assert len(targets.of[part]) > 10
        for module in targets.of[part]:
            kohya = targets.names.read(f"{prefix}{module.replace('.', '_')}.lora_down.weight")
            diffusers = targets.names.read(f"{part}.{module}.lora_B.weight")
            assert (kohya.part, kohya.module, kohya.role) == (part, module, Role.DOWN)
            assert (diffusers.part, diffusers.module, diffusers.role) == (part, module, Role.UP)


def test_attention_output_of_old_files(read: Read) -> None:
    name = "unet." + OUT.removesuffix(".to_out.0") + ".processor.to_out_lora.{}.weight"
    assert list(read(pair(name.format("down"), name.format("up"))).layers[Part.UNET]) == [OUT]


PEFT = pair(f"unet.{MODULE}.lora_A.weight", f"unet.{MODULE}.lora_B.weight")
KOHYA = pair(f"{FLAT}.lora_down.weight", f"{FLAT}.lora_up.weight")


@pytest.mark.parametrize(
    ("tensors", "configuration", "scale"),
    [
        (PEFT, None, 1.0),
        (PEFT, {"unet.lora_alpha": 8}, 4.0),
        (PEFT, {"unet.lora_alpha": 8, "unet.use_rslora": True}, 8 / 2**0.5),
        (PEFT, {"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_q": 3}}, 1.5),
        (PEFT, {"unet.lora_alpha": 8, "unet.alpha_pattern": {"q": 3}}, 4.0),
        (PEFT, {"unet.lora_alpha": 8, "unet.alpha_pattern": {"^to_q": 3}}, 4.0),
        (PEFT, {"unet.lora_alpha": 8, "unet.alpha_pattern": {f"^{MODULE}": 3}}, 1.5),
        (PEFT, {"text_encoder.lora_alpha": 8}, 1.0),
        (PEFT | {f"unet.{MODULE}.alpha": torch.tensor(5.0)}, None, 2.5),
        (KOHYA, None, 1.0),
        (KOHYA | {f"{FLAT}.alpha": torch.tensor(1.0)}, None, 0.5),
        (KOHYA | {f"{FLAT}.alpha": torch.tensor([1])}, {"unet.lora_alpha": 8}, 0.5),
    ],
)
def test_scale(read: Read, tensors: Any, configuration: Any, scale: float) -> None:
    metadata = {METADATA_KEY: json.dumps(configuration)} if configuration else {}
    layer = read(tensors, **metadata).layers[Part.UNET][MODULE]
    assert torch.allclose(layer.up, torch.full((16, 2), scale))


A, B = f"unet.{MODULE}.lora_A.weight", f"unet.{MODULE}.lora_B.weight"
WRONG: dict[str, tuple[dict[str, torch.Tensor], dict[str, str], str]] = {
    "no layers": ({}, {"note": "nothing here" * 9}, "holds no layers"),
    "half a layer": ({A: torch.ones(2, 16)}, {}, "only half of its layer"),
    "an alpha alone": ({f"unet.{MODULE}.alpha": torch.tensor(1.0)}, {}, "only half of its layer"),
    "another width": ({A: torch.ones(2, 320), B: torch.ones(320, 2)}, {}, "is 16 × 16 here, and its layer is 320 × 2"),
    "ranks that differ": ({A: torch.ones(2, 16), B: torch.ones(16, 3)}, {}, "made for another model"),
    "no rank": ({A: torch.ones(0, 16), B: torch.ones(16, 0)}, {}, "made for another model"),
    "a number": ({A: torch.tensor(1.0), B: torch.ones(16, 2)}, {}, "made for another model"),
    "a convolution for a linear layer": (
        {A: torch.ones(2, 16, 1, 1), B: torch.ones(16, 2, 1, 1)},
        {},
        "made for another model",
    ),
    "another model's block": (
        pair("unet.down_blocks.7.to_q.lora_A.weight", "unet.down_blocks.7.to_q.lora_B.weight"),
        {},
        "which this model does not have",
    ),
    "another model's kohya block": (
        pair("lora_unet_input_blocks_4_1.lora_down.weight", "lora_unet_input_blocks_4_1.lora_up.weight"),
        {},
        "which this model does not have",
    ),
    "a second text encoder": (
        pair("lora_te2_text_model_x.lora_down.weight", "lora_te2_text_model_x.lora_up.weight"),
        {},
        "neither diffusers' nor kohya's naming",
    ),
    "no naming": ({"weights": torch.ones(2, 2)}, {}, "neither diffusers' nor kohya's naming"),
    "twice": (PEFT | KOHYA, {}, "twice"),
    "DoRA": (PEFT | {f"unet.{MODULE}.lora_magnitude_vector.weight": torch.ones(16)}, {}, "it uses DoRA"),
    "kohya's DoRA": (KOHYA | {f"{FLAT}.dora_scale": torch.ones(16)}, {}, "it uses DoRA"),
    "LoHa": ({f"{FLAT}.hada_w1_a": torch.ones(2, 2)}, {}, "it uses LoHa"),
    "LoKr": ({f"{FLAT}.lokr_w1": torch.ones(2, 2)}, {}, "it uses LoKr"),
    "Tucker": (KOHYA | {f"{FLAT}.lora_mid.weight": torch.ones(2, 2)}, {}, "it uses Tucker"),
    "biases": (PEFT | {f"unet.{MODULE}.lora_B.bias": torch.ones(16)}, {}, "it uses biases"),
    "DoRA by metadata": (PEFT, {METADATA_KEY: '{"unet.use_dora": true}'}, "it uses DoRA"),
    "integers": ({A: torch.ones(2, 16, dtype=torch.int8), B: torch.ones(16, 2)}, {}, "it is quantized"),
    "not a number": ({A: torch.full((2, 16), torch.nan), B: torch.ones(16, 2)}, {}, "infinite or none"),
    "infinite": ({A: torch.ones(2, 16), B: torch.full((16, 2), torch.inf)}, {}, "infinite or none"),
    "metadata that is no JSON": (PEFT, {METADATA_KEY: "{nope"}, "metadata can't be read"),
    "metadata that is no object": (PEFT, {METADATA_KEY: "[1]"}, "metadata can't be read"),
    "an alpha that is no number": (PEFT, {METADATA_KEY: '{"unet.lora_alpha": "much"}'}, "alpha that is no number"),
    "an alpha that is none": (PEFT, {METADATA_KEY: '{"unet.lora_alpha": null}'}, "alpha that is no number"),
    "an infinite alpha": (KOHYA | {f"{FLAT}.alpha": torch.tensor(torch.inf)}, {}, "alpha that is no number"),
    "many alphas": (KOHYA | {f"{FLAT}.alpha": torch.ones(3)}, {}, "alpha that is no number"),
    "a regular expression": (PEFT, {METADATA_KEY: '{"unet.alpha_pattern": {"(a+)+$": 1}}'}, "no module's name"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_used_says_why(read: Read, name: str) -> None:
    tensors, metadata, reason = WRONG[name]
    with pytest.raises(LoraUnusable) as unusable:
        read(tensors, **metadata)
    assert reason in str(unusable.value)
    assert not str(unusable.value).endswith(".")


class Exploit:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('a pickle was opened')",))


def test_a_pickle_is_never_opened(targets: TargetModules, tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    path.write_bytes(pickle.dumps(Exploit()))
    with pytest.raises(LoraUnusable, match="not a safetensors file"):
        read_lora(path, "sha", targets)
    torch.save(PEFT, path)
    with pytest.raises(LoraUnusable, match="not a safetensors file"):
        read_lora(path, "sha", targets)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(content=st.binary(max_size=300), flipped=st.integers(0, 400), value=st.integers(0, 255), whole=st.booleans())
def test_any_bytes_are_read_or_refused_in_words(
    targets: TargetModules, tmp_path: Path, content: bytes, flipped: int, value: int, whole: bool
) -> None:
    path = tmp_path / "lora.safetensors"
    if whole:
        save_file(PEFT, path, {METADATA_KEY: '{"unet.lora_alpha": 2}'})
        damaged = bytearray(path.read_bytes())
        damaged[flipped % len(damaged)] = value
        content = bytes(damaged)
    path.write_bytes(content)
    try:
        lora = read_lora(path, "sha", targets)
    except LoraUnusable as unusable:
        assert 0 < len(str(unusable)) < 400
    else:
        assert lora.bytes > 0


@settings(deadline=None)
@given(st.text(max_size=80) | st.sampled_from(sorted(PEFT | KOHYA)).flatmap(lambda key: st.text().map(key.__add__)))
def test_any_name_is_read_or_refused_in_words(targets: TargetModules, key: str) -> None:
    try:
        name = targets.names.read(key)
    except LoraUnusable as unusable:
        assert str(unusable).isprintable()
        assert len(str(unusable)) < 300
    else:
        assert name.module in targets.of[name.part]
