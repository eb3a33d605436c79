"""The miniature UNet and text encoder: their shapes."""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from endpoint.tiny.draw import NATIVE_SIZE
from endpoint.tiny.vae import DOWNSCALING, LATENT_CHANNELS

TEXT_WIDTH = 128


def new_text_encoder(tokenizer: CLIPTokenizer, seed: int) -> CLIPTextModel:
    """An untrained CLIP text model of two layers.

    CLIP starts its embeddings so small (0.02) that the layers above drown which word it was. Here words start large,
    and the start and end tokens (so all the padding) small: what stands there is from the beginning a summary of the
    words before it.
    """
    torch.manual_seed(seed)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    embeddings = text_encoder.get_input_embeddings()
    torch.nn.init.normal_(embeddings.weight, std=1.0)
    with torch.no_grad():
        embeddings.weight[[tokenizer.bos_token_id, tokenizer.eos_token_id]] *= 0.05
    for name, parameter in text_encoder.named_parameters():
        if name.endswith("position_embedding.weight"):
            torch.nn.init.normal_(parameter, std=0.1)
    return text_encoder


def new_unet(seed: int) -> UNet2DConditionModel:
    """An untrained UNet over 16x16 latents, with attention on its two lower levels: at the top it costs most."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=NATIVE_SIZE // DOWNSCALING,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(80, 96, 96),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )
    return unet.to(memory_format=torch.channels_last)
