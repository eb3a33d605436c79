"""What a look at a picture says. No Pillow here."""

from __future__ import annotations

from dataclasses import dataclass

from backend_lambda.contract.trainings import PictureFault


@dataclass(frozen=True)
class GoodPicture:
    """A picture as it is kept: a PNG of 8-bit RGB without any metadata, no side longer than `MAX_RESOLUTION`.

    `sha256` is of its size and pixels, so that it is the same however the file was compressed. `look` is for
    `dataset.look.same_look`. `thumbnail` is a PNG.
    """

    png: bytes
    width: int
    height: int
    sha256: str
    look: str
    thumbnail: bytes


@dataclass(frozen=True)
class BadPicture:
    """Why it can't be trained with; its size where the header says one."""

    fault: PictureFault
    width: int | None = None
    height: int | None = None
