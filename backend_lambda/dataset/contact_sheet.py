"""All pictures of a training on one sheet, for whoever is to approve it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image

from backend_lambda.dataset.check import THUMBNAIL_SIDE

_GAP = 8


def contact_sheet(thumbnails: Sequence[bytes]) -> bytes:
    """A PNG with these PNGs in rows, at least as wide as high."""
    across = max(1, math.ceil(math.sqrt(len(thumbnails))))
    down = max(1, math.ceil(len(thumbnails) / across))
    step = THUMBNAIL_SIDE + _GAP
    sheet = Image.new("RGB", (across * step + _GAP, down * step + _GAP), (255, 255, 255))
    for index, content in enumerate(thumbnails):
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            left = _GAP + index % across * step + (THUMBNAIL_SIDE - picture.width) // 2
            top = _GAP + index // across * step + (THUMBNAIL_SIDE - picture.height) // 2
            sheet.paste(picture, (left, top))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()
