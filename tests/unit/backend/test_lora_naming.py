"""What is recognised as a LoRA for Stable Diffusion, and what as something else."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_lambda.lora_files.header import DTYPE_BYTES, WEIGHT_DTYPES, Header, Tensor, read_header
from backend_lambda.lora_files.naming import LoraFile, Naming, recognise
from backend_lambda.lora_files.refused import FileRefused
from tests.fakes.loras import QUERY, lora_file, safetensors

KOHYA = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
TEXT = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"


def header(tensors: dict[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> Header:
    return Header({name: Tensor("F32", shape, 0, 0) for name, shape in tensors.items()}, metadata or {})


def read(content: bytes) -> Header:
    return read_header(lambda start, count: content[start : start + count], len(content))


def refused(tensors: dict[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> str:
    with pytest.raises(FileRefused) as caught:
        recognise(header(tensors, metadata))
    message = caught.value.message
    assert message[0].isupper() and message.endswith(".")
    assert len(message) < 250
    message.encode()
    return message


@pytest.mark.parametrize(
    ("down", "up", "naming"),
    [
        (f"{QUERY}.lora_A.weight", f"{QUERY}.lora_B.weight", Naming.DIFFUSERS),
        (f"{QUERY}.lora.down.weight", f"{QUERY}.lora.up.weight", Naming.DIFFUSERS),
        (
            "unet.x.attn1.processor.to_q_lora.down.weight",
            "unet.x.attn1.processor.to_q_lora.up.weight",
            Naming.DIFFUSERS,
        ),
        (f"{TEXT}.lora_linear_layer.down.weight", f"{TEXT}.lora_linear_layer.up.weight", Naming.DIFFUSERS),
        (f"{TEXT}.lora_A.weight", f"{TEXT}.lora_B.weight", Naming.DIFFUSERS),
        (f"{KOHYA}.lora_down.weight", f"{KOHYA}.lora_up.weight", Naming.KOHYA),
        (
            "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
            "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight",
            Naming.KOHYA,
        ),
    ],
)
def test_each_way_to_name_them_is_known(down: str, up: str, naming: Naming) -> None:
    assert recognise(header({down: (4, 32), up: (16, 4)})) == LoraFile(naming, 1, 4)
    alpha = down.removesuffix(".weight").rpartition(".lora")[0].removesuffix("_lora.down") + ".alpha"
    for missing in (down, up):
        assert "not whole" in refused(
            {name: shape for name, shape in {down: (4, 32), up: (16, 4)}.items() if name != missing}
        )
    if naming is Naming.KOHYA:
        assert recognise(header({down: (4, 32), up: (16, 4), alpha: ()})).rank == 4
        assert "not one number" in refused({down: (4, 32), up: (16, 4), alpha: (2,)})


def test_convolutions_and_different_ranks_go_together() -> None:
    found = recognise(
        header(
            {
                f"{KOHYA}.lora_down.weight": (4, 32),
                f"{KOHYA}.lora_up.weight": (32, 4),
                "lora_unet_mid_block_resnets_0_conv1.lora_down.weight": (16, 32, 3, 3),
                "lora_unet_mid_block_resnets_0_conv1.lora_up.weight": (64, 16, 1, 1),
            }
        )
    )
    assert found == LoraFile(Naming.KOHYA, 2, 16)


@pytest.mark.parametrize(
    ("down", "up"),
    [
        ((4, 32), (32, 5)),
        ((4, 32), (4, 32)),
        ((4,), (32, 4)),
        ((4, 32, 3), (32, 4, 1)),
        ((4, 32, 3, 3), (32, 4)),
        ((4, 32, 3, 3), (32, 4, 3, 3)),
        ((0, 32), (32, 0)),
        ((4, 0), (0, 4)),
        ((), ()),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(down: tuple[int, ...], up: tuple[int, ...]) -> None:
    assert "don't go together" in refused({f"{QUERY}.lora_A.weight": down, f"{QUERY}.lora_B.weight": up})


def test_a_rank_has_an_end() -> None:
    assert recognise(header({f"{QUERY}.lora_A.weight": (128, 320), f"{QUERY}.lora_B.weight": (320, 128)})).rank == 128
    assert "rank 129" in refused({f"{QUERY}.lora_A.weight": (129, 320), f"{QUERY}.lora_B.weight": (320, 129)})


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({}, "no tensors"),
        ({"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3)}, "whole model"),
        ({"conv_in.weight": (320, 4, 3, 3), "down_blocks.0.x.weight": (1,)}, "whole model"),
        ({"emb_params": (4, 768)}, "embedding"),
        ({f"{KOHYA}.hada_w1_a": (4, 4)}, "LoHa"),
        ({f"{KOHYA}.lokr_w1": (4, 4)}, "LoKr"),
        ({f"{KOHYA}.dora_scale": (4, 4)}, "DoRA"),
        ({"text_encoder_2.text_model.x.lora_A.weight": (4, 4)}, "Stable Diffusion XL"),
        ({"lora_te1_text_model_x.lora_down.weight": (4, 4)}, "Stable Diffusion XL"),
        ({"lora_unet_input_blocks_4_1_proj_in.lora_down.weight": (4, 4)}, "Stable Diffusion XL"),
        ({"transformer.transformer_blocks.0.attn.to_q.lora_A.weight": (4, 4)}, "Flux"),
        ({"lora_unet_double_blocks_0_img_attn_proj.lora_down.weight": (4, 4)}, "Flux"),
        ({"diffusion_model.blocks.0.lora_A.weight": (4, 4)}, "another kind"),
        ({f"{QUERY}.lora_A.weight": (4, 4), "surprise": (1,)}, "surprise"),
        ({f"{QUERY}.lora_A.weight": (4, 4), f"{QUERY}.to_q.weight": (1,)}, "belongs to no LoRA"),
        ({f"{QUERY}.lora_A.weight": (4, 4), f"{KOHYA}.lora_down.weight": (4, 4)}, "mixed"),
        ({f"{QUERY}.lora_A.weight": (4, 4), f"{QUERY}.lora.down.weight": (4, 4)}, "the same place"),
        ({f"{KOHYA}.alpha": ()}, "no LoRA in it"),
        ({".lora_A.weight": (4, 4)}, "belongs to no LoRA"),
        ({"\ud800" * 200: (4, 4)}, "belongs to no LoRA"),
    ],
)
def test_something_else_is_told_what_it_is(tensors: dict[str, tuple[int, ...]], words: str) -> None:
    assert words in refused(tensors)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "Stable Diffusion XL"),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "Stable Diffusion XL"),
        ({"modelspec.architecture": "flux-1-dev/lora"}, "Flux"),
        ({"modelspec.architecture": "stable-diffusion-3-medium/lora"}, "Stable Diffusion 3"),
    ],
)
def test_metadata_that_names_another_architecture_is_believed(metadata: dict[str, str], words: str) -> None:
    good = {f"{KOHYA}.lora_down.weight": (4, 32), f"{KOHYA}.lora_up.weight": (32, 4)}
    assert words in refused(good, metadata)
    for known in ("sd_v1", "sd_v2_v", "stable-diffusion-v1/lora"):
        assert recognise(header(good, {"ss_base_model_version": known, "modelspec.architecture": known})).rank == 4


@given(
    st.dictionaries(
        st.builds(
            lambda first, last: first + last,
            st.sampled_from([QUERY, KOHYA, TEXT, "transformer.x", ""]) | st.text(max_size=5),
            st.sampled_from([".lora_A.weight", ".lora_B.weight", ".lora_down.weight", ".lora_up.weight", ".alpha", ""]),
        ),
        st.lists(st.integers(0, 200), max_size=5).map(tuple),
        max_size=6,
    )
)
def test_no_names_and_shapes_do_anything_but_be_recognised_or_refused(tensors: dict[str, tuple[int, ...]]) -> None:
    try:
        found = recognise(header(tensors))
    except FileRefused as error:
        error.message.encode()
    else:
        assert 1 <= found.rank <= 128
        assert found.modules >= 1


def test_what_diffusers_and_peft_write_is_recognised(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    diffusers = pytest.importorskip("diffusers")
    peft = pytest.importorskip("peft")
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        norm_num_groups=8,
    )
    unet.add_adapter(peft.LoraConfig(r=4, target_modules=["to_q", "to_k", "to_v", "to_out.0", "proj_in"]))
    ours = peft.get_peft_model_state_dict(unet)
    utils = diffusers.utils
    for layers in (ours, utils.convert_state_dict_to_diffusers(ours)):
        diffusers.StableDiffusionPipeline.save_lora_weights(tmp_path, unet_lora_layers=layers)
        content = (tmp_path / "pytorch_lora_weights.safetensors").read_bytes()
        found = recognise(read(content))
        assert (found.naming, found.rank, found.modules) == (Naming.DIFFUSERS, 4, len(ours) // 2)
    kohya = utils.convert_state_dict_to_kohya({f"unet.{name}": tensor for name, tensor in ours.items()})
    content = pytest.importorskip("safetensors.torch").save(
        {
            name.replace("unet_", "lora_unet_", 1) if name.startswith("unet_") else name: one.contiguous()
            for name, one in kohya.items()
        }
    )
    found = recognise(read(content))
    assert (found.naming, found.rank) == (Naming.KOHYA, 4)
    assert torch.is_tensor(next(iter(kohya.values())))


def test_weights_of_half_precision_are_as_good() -> None:
    for dtype, size in DTYPE_BYTES.items():
        is_taken = dtype in WEIGHT_DTYPES
        names = {f"{QUERY}.lora_A.weight": [2, 8], f"{QUERY}.lora_B.weight": [8, 2]}
        described = {
            name: {"dtype": dtype, "shape": shape, "data_offsets": [index * 16 * size, (index + 1) * 16 * size]}
            for index, (name, shape) in enumerate(names.items())
        }
        text = json.dumps(described).encode()
        content = struct.pack("<Q", len(text)) + text + bytes(32 * size)
        found = read(content)
        if is_taken:
            assert recognise(found).rank == 2
        else:
            with pytest.raises(FileRefused, match=dtype):
                recognise(found)


def test_the_tests_own_lora_is_one() -> None:
    for content in (lora_file(), safetensors({f"{KOHYA}.lora_down.weight": (2, 8), f"{KOHYA}.lora_up.weight": (8, 2)})):
        recognise(read(content))
