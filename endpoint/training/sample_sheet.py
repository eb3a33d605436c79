"""The sample prompts' pictures, before any training and now, side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from endpoint.training.base_model import BaseModel
from endpoint.training_contract import TrainingRequest

_MARGIN, _HEAD, _CAPTION, _GAP = 20, 40, 42, 26
_LARGEST_SIDE = 384
_BACKGROUND, _INK, _FAINT = (255, 255, 255), (29, 28, 29), (110, 113, 120)
_FRAME = (222, 224, 230)


def paint_samples(model: BaseModel, request: TrainingRequest) -> list[Image.Image]:
    """A picture for each sample prompt, at the model's own size, steps and guidance; each has the same seed always."""
    card, pictures = model.checkpoint.card, []
    for number, prompt in enumerate(request.sample_prompts):
        with model.autocast():
            latents = model.pipeline(
                prompt,
                width=card.native_width,
                height=card.native_height,
                num_inference_steps=card.default_steps,
                guidance_scale=card.default_guidance_scale,
                generator=torch.Generator("cpu").manual_seed(request.sample_seed + number),
                output_type="latent",
            ).images
        # Outside of autocast: a VAE overflows in less than float32.
        with torch.no_grad():
            pixels = model.pipeline.vae.decode(latents.float() / model.pipeline.vae.config.scaling_factor).sample
        pictures.append(model.pipeline.image_processor.postprocess(pixels, output_type="pil")[0])
    return pictures


def samples_before(model: BaseModel, request: TrainingRequest, checkpoints: Path) -> list[Image.Image]:
    """Those of the base model alone, kept beside the checkpoints: call it before any layer is added."""
    paths = [checkpoints / f"before-{number}.png" for number in range(len(request.sample_prompts))]
    try:
        kept = []
        for path in paths:
            with Image.open(path) as opened:
                kept.append(opened.convert("RGB"))
    except (OSError, SyntaxError):
        kept = paint_samples(model, request)
        for path, picture in zip(paths, kept, strict=True):
            picture.save(path)
    return kept


def draw_sample_sheet(
    prompts: Sequence[str], before: Sequence[Image.Image], now: Sequence[Image.Image], step: int
) -> bytes:
    """A PNG with a row of two for each prompt; two rows stand side by side where there are several."""
    width, height = before[0].size
    scale = min(1.0, _LARGEST_SIDE / max(width, height))
    cell = round(width * scale), round(height * scale)
    block = 2 * cell[0] + _GAP // 2, cell[1] + _CAPTION
    columns = 1 if len(prompts) == 1 else 2
    rows = -(-len(prompts) // columns)
    sheet = Image.new(
        "RGB",
        (
            2 * _MARGIN + columns * block[0] + (columns - 1) * 2 * _GAP,
            _MARGIN + _HEAD + rows * block[1] + (rows - 1) * _GAP // 2 + _MARGIN // 2,
        ),
        _BACKGROUND,
    )
    pen = ImageDraw.Draw(sheet)
    head, small = ImageFont.load_default(18), ImageFont.load_default(16)
    for number, prompt in enumerate(prompts):
        x = _MARGIN + number % columns * (block[0] + 2 * _GAP)
        y = _MARGIN + _HEAD + number // columns * (block[1] + _GAP // 2)
        places = (x, x + cell[0] + _GAP // 2)
        if number < columns:
            pen.text((places[0], _MARGIN), "before", _FAINT, head)
            pen.text((places[1], _MARGIN), f"step {step:,}", _INK, head)
        for place, picture in zip(places, (before[number], now[number]), strict=True):
            sheet.paste(picture.resize(cell, Image.Resampling.LANCZOS) if scale < 1 else picture, (place, y))
            # A frame around it: most drawings are on white.
            pen.rectangle((place - 1, y - 1, place + cell[0], y + cell[1]), outline=_FRAME)
        pen.text((x, y + cell[1] + 9), _shortened(prompt, small, block[0]), _FAINT, small)
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + " …") > width:
        text = text[:-1]
    return text.rstrip() + " …"
