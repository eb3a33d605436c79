"""Makes the picture of samples in the documentation: `python -m endpoint.tiny.samples`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from endpoint.tiny.pipeline import DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS, MODEL_DIR, load

_COLUMNS = 5
_MARGIN, _CAPTION = 14, 44
_PROMPTS = (
    "a large red heart",
    "an orange house on a cyan background",
    "a small yellow star at the top on a blue background",
    "a white boat on a blue background",
    "a green tree, yellow background",
    "a yellow sun above a green tree",
    "a red circle left of a blue square",
    "a big purple fish on a white background",
    "a pink flower on a green background",
    "a white moon on a black background",
    "a blue house left of a yellow flower",
    "a huge cyan diamond on a black background",
    "a white cloud above a red boat on a cyan background",
    "a purple ring on the right, pink background",
    "an orange fish and a cyan fish on a blue background",
)


def main() -> None:
    """Draws each prompt once, with the seed of its number, and saves the grid: no picking."""
    parser = argparse.ArgumentParser(description="Draw the grid of sample pictures with their prompts.")
    parser.add_argument("--model", type=Path, default=MODEL_DIR)
    parser.add_argument("--out", type=Path, default=Path("docs/images/tiny-samples.png"))
    options = parser.parse_args()
    pipeline = load(options.model)
    rows = -(-len(_PROMPTS) // _COLUMNS)
    cell = pipeline.vae.config.sample_size
    step_x, step_y = cell + _MARGIN, cell + _MARGIN + _CAPTION
    sheet = Image.new("RGB", (_COLUMNS * step_x + _MARGIN, rows * step_y + _MARGIN), (244, 244, 247))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, prompt in enumerate(_PROMPTS):
        picture = pipeline(
            prompt,
            num_inference_steps=DEFAULT_STEPS,
            guidance_scale=DEFAULT_GUIDANCE_SCALE,
            generator=torch.Generator().manual_seed(number),
        ).images[0]
        x, y = _MARGIN + number % _COLUMNS * step_x, _MARGIN + number // _COLUMNS * step_y
        sheet.paste(picture, (x, y))
        pen.multiline_text((x + 2, y + cell + 5), _wrapped(prompt, font, cell - 4), (40, 42, 54), font, spacing=2)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.out, optimize=True)
    print(options.out)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


if __name__ == "__main__":
    main()
