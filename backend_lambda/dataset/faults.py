"""Why a picture can't be trained with, in one sentence that is fit for people: what, why, what next. No Pillow here."""

from __future__ import annotations

from backend_lambda.contract.training_limits import (
    MAX_PICTURE_ASPECT,
    MAX_PICTURE_BYTES,
    MAX_PICTURE_PIXELS,
    MIN_PICTURE_SIDE,
)
from backend_lambda.contract.trainings import PictureFault

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""Pillow's names of the formats that are taken, told by their content and never by a file's name."""

SENTENCES = {
    PictureFault.NOT_UPLOADED: "Nothing was uploaded for {name}. Upload it again.",
    PictureFault.NOT_A_PICTURE: "{name} is not a picture that Easel can read. Send it as PNG, JPEG, WebP, GIF or BMP.",
    PictureFault.TRUNCATED: "{name} is damaged or cut off, so it can't be read to its end. Export or send it again.",
    PictureFault.ANIMATED: "{name} is animated, and a training needs still pictures. Send one frame of it.",
    PictureFault.TOO_LARGE: f"{{name}} has more than {MAX_PICTURE_BYTES // 2**20} MB. Save it smaller, maybe as JPEG.",
    PictureFault.TOO_SMALL: (
        f"{{name}} has {{width}} × {{height}} pixels, and each side needs {MIN_PICTURE_SIDE}. Send a larger version."
    ),
    PictureFault.TOO_MANY_PIXELS: (
        f"{{name}} has more than {MAX_PICTURE_PIXELS // 1_000_000} million pixels. Scale it down and send it again."
    ),
    PictureFault.TOO_NARROW: (
        f"{{name}} has {{width}} × {{height}} pixels: one side is more than {MAX_PICTURE_ASPECT} times the other. "
        "Crop it to what matters."
    ),
    PictureFault.DUPLICATE: "{name} shows the same as {same_as}. Send a different picture, or leave it out.",
}
_LONGEST_NAME = 60


def fault_sentence(
    fault: PictureFault, filename: str, *, width: int | None = None, height: int | None = None, same_as: str = ""
) -> str:
    """The sentence for a picture of that file name."""
    return SENTENCES[fault].format(name=_short(filename), width=width, height=height, same_as=_short(same_as))


def _short(name: str) -> str:
    name = " ".join("".join(one if one.isprintable() else " " for one in name).split()) or "This picture"
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
