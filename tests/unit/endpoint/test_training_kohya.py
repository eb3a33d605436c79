"""The LoRA's file in other tools' naming: there, back, and painted with by stock diffusers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from endpoint.training.base_model import load_base_model
from endpoint.training.kohya import ADAPTER_KEY, NotALora, convert, from_kohya, main, to_kohya
from endpoint.training.lora import EASEL_KEY, Lora
from tests.fakes.random_checkpoint import random_stable_diffusion, save
from tests.fakes.training_requests import training_request


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(random_stable_diffusion(), tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def lora_file(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA on UNet and text encoder with weights that are anything but zero."""
    base = load_base_model(model)
    lora = Lora(base, training_request(text_encoder=True, rank=4))
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in lora.named_parameters().values():
            parameter.copy_(torch.randn(parameter.shape, generator=random) * 0.3)
    path = tmp_path_factory.mktemp("lora") / "lora.safetensors"
    path.write_bytes(lora.to_bytes({"trigger": "zblx"}))
    return path


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def paint(model: Path, lora: Path | None) -> torch.Tensor:
    pipeline: Any = StableDiffusionPipeline.from_pretrained(model, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    if lora is not None:
        pipeline.load_lora_weights(lora.parent, weight_name=lora.name)
    generator = torch.Generator().manual_seed(1)
    latents = pipeline("a mug", width=64, height=64, num_inference_steps=3, generator=generator, output_type="latent")
    painted: torch.Tensor = latents.images
    return painted


def test_there_and_back_is_the_same_by_value(lora_file: Path, tmp_path: Path) -> None:
    there, back = tmp_path / "kohya.safetensors", tmp_path / "back.safetensors"
    assert convert(lora_file, there) == "kohya"
    assert convert(there, back) == "diffusers"
    first, second = load_file(lora_file), load_file(back)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert json.loads(metadata_of(back)[EASEL_KEY]) == {"trigger": "zblx"}


def test_kohyas_names_are_kohyas(lora_file: Path, tmp_path: Path) -> None:
    convert(lora_file, tmp_path / "kohya.safetensors")
    keys = set(load_file(tmp_path / "kohya.safetensors"))
    unet = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0"
    text = "lora_te_text_model_encoder_layers_1_self_attn_q_proj"
    for name in (unet, text):
        assert {f"{name}.lora_down.weight", f"{name}.lora_up.weight", f"{name}.alpha"} <= keys
    assert ADAPTER_KEY not in metadata_of(tmp_path / "kohya.safetensors")


def test_stock_diffusers_paints_the_same_with_all_three(model: Path, lora_file: Path, tmp_path: Path) -> None:
    there, back = tmp_path / "kohya.safetensors", tmp_path / "back.safetensors"
    convert(lora_file, there)
    convert(there, back)
    painted = paint(model, lora_file)
    assert not torch.allclose(painted, paint(model, None), atol=1e-2)
    torch.testing.assert_close(paint(model, there), painted)
    torch.testing.assert_close(paint(model, back), painted)


def test_alphas_and_ranks_of_their_own_survive(lora_file: Path) -> None:
    adapter = json.loads(metadata_of(lora_file)[ADAPTER_KEY])
    module = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    adapter["unet.lora_alpha"] = 2
    adapter["unet.alpha_pattern"] = {module: 8}
    kohya = to_kohya(load_file(lora_file), adapter)
    assert kohya["lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q.alpha"].item() == 8
    assert kohya["lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_k.alpha"].item() == 2
    _, read = from_kohya(kohya)
    assert read["unet.lora_alpha"] == 2
    assert read["unet.alpha_pattern"] == {module: 8.0}
    assert read["text_encoder.lora_alpha"] == 4


def test_the_older_scripts_names_are_read_too(lora_file: Path) -> None:
    tensors, adapter = load_file(lora_file), json.loads(metadata_of(lora_file)[ADAPTER_KEY])
    older = {
        key.replace("lora_A", "lora.down").replace("lora_B", "lora.up")
        if key.startswith("unet.")
        else key.replace("text_model.", "")
        .replace("lora_A", "lora_linear_layer.down")
        .replace("lora_B", "lora_linear_layer.up"): tensor
        for key, tensor in tensors.items()
    }
    first, second = to_kohya(tensors, adapter), to_kohya(older, adapter)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("key", ["lora_te2_text_model.lora_down.weight", "transformer.blocks.0.weight", "unet.conv_in"])
def test_what_is_no_lora_of_these_models_is_refused(key: str, tmp_path: Path) -> None:
    save_file({key: torch.zeros(2, 2)}, tmp_path / "odd.safetensors")
    with pytest.raises(NotALora, match=key.split(".")[0]):
        convert(tmp_path / "odd.safetensors", tmp_path / "out.safetensors")


def test_the_command_converts_or_says_why_not(
    lora_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "kohya.safetensors"
    monkeypatch.setattr("sys.argv", ["kohya", str(lora_file), str(target)])
    assert main() == 0
    assert "kohya's naming" in capsys.readouterr().out
    (tmp_path / "no.safetensors").write_bytes(b"no")
    monkeypatch.setattr("sys.argv", ["kohya", str(tmp_path / "no.safetensors"), str(target)])
    assert main() == 1
    assert "is no safetensors file" in capsys.readouterr().err
