"""Decode a picture that somebody sent, and keep nothing of it but its pixels.

The header is believed only to refuse: a picture whose header names too many pixels is never decoded.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import warnings

from PIL import Image, UnidentifiedImageError

from backend_lambda.contract.training_limits import (
    MAX_PICTURE_ASPECT,
    MAX_PICTURE_BYTES,
    MAX_PICTURE_PIXELS,
    MAX_RESOLUTION,
    MIN_PICTURE_SIDE,
)
from backend_lambda.contract.trainings import PictureFault
from backend_lambda.dataset.faults import FORMATS
from backend_lambda.dataset.look import CELLS
from backend_lambda.dataset.verdicts import BadPicture, GoodPicture

logger = logging.getLogger(__name__)

THUMBNAIL_SIDE = 192
"""Pixels of the longer side."""
_SNIFFED_BYTES = 32
_ORIENTATION = 0x0112
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation, and what makes such a picture upright."""


def check_picture(content: bytes) -> GoodPicture | BadPicture:
    """Decode it. Never raises: whatever is wrong with it is a fault."""
    if len(content) > MAX_PICTURE_BYTES:
        return BadPicture(PictureFault.TOO_LARGE)
    try:
        with warnings.catch_warnings():
            # Pillow warns of what is refused below, and of damage that does no harm.
            warnings.simplefilter("ignore")
            return _decode(content)
    except Image.DecompressionBombError:
        return BadPicture(PictureFault.TOO_MANY_PIXELS)
    except Exception:
        # Decoders raise nearly anything over a damaged file, and what they say is for nobody.
        logger.info("picture that can't be decoded", exc_info=True)
        return BadPicture(_unreadable(content))


def _decode(content: bytes) -> GoodPicture | BadPicture:
    try:
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        return BadPicture(_unreadable(content))
    with opened as picture:
        width, height = picture.size
        if width * height > MAX_PICTURE_PIXELS:
            return BadPicture(PictureFault.TOO_MANY_PIXELS, width, height)
        if min(width, height) < MIN_PICTURE_SIDE:
            return BadPicture(PictureFault.TOO_SMALL, width, height)
        if max(width, height) > MAX_PICTURE_ASPECT * min(width, height):
            return BadPicture(PictureFault.TOO_NARROW, width, height)
        # Phones put a gain map or a second view behind a JPEG (then Pillow calls it MPO): the first is the photo.
        if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
            return BadPicture(PictureFault.ANIMATED, width, height)
        picture.load()
        kept = _upright(_pixels_only(picture), picture)
    if max(kept.size) > MAX_RESOLUTION:
        kept.thumbnail((MAX_RESOLUTION, MAX_RESOLUTION), Image.Resampling.LANCZOS)
    thumbnail = kept.copy()
    thumbnail.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    size = f"{kept.width}x{kept.height}|".encode()
    return GoodPicture(
        png=_png(kept),
        width=kept.width,
        height=kept.height,
        sha256=hashlib.sha256(size + kept.tobytes()).hexdigest(),
        look=_look(kept),
        thumbnail=_png(thumbnail),
    )


def _pixels_only(picture: Image.Image) -> Image.Image:
    """8-bit RGB on white, in a picture that never knew the file."""
    if picture.mode.startswith("I"):
        # Sixteen bits of grey. Pillow would cut off what is above eight instead of scaling it.
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif picture.has_transparency_data:
        coloured = picture.convert("RGBA")
        white = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, coloured)
    coloured = picture.convert("RGB")
    return Image.frombytes("RGB", coloured.size, coloured.tobytes())


def _upright(pixels: Image.Image, picture: Image.Image) -> Image.Image:
    """The pixels as EXIF says that they are meant."""
    try:
        turn = _TURNED.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Damaged EXIF says nothing; the picture is as good as without it.
        return pixels
    return pixels if turn is None else pixels.transpose(turn)


def _look(picture: Image.Image) -> str:
    """The mean colours of 12 × 12 cells, as text."""
    small = picture.resize((CELLS, CELLS), Image.Resampling.BOX)
    return base64.b64encode(small.tobytes()).decode("ascii")


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _unreadable(content: bytes) -> PictureFault:
    """A file that begins as a picture does is a damaged one; any other is none."""
    start = content[:_SNIFFED_BYTES]
    begins = start.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")) or (
        start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    )
    return PictureFault.TRUNCATED if begins else PictureFault.NOT_A_PICTURE
