"""A small real PNG, made with the standard library."""

from __future__ import annotations

import struct
import zlib


def png(comment: str, side: int = 8) -> bytes:
    """A red square with `comment` in a text chunk."""
    row = b"\x00" + b"\xc8\x1e\x1e" * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    text = b"parameters\x00" + comment.encode("latin-1", "replace")
    chunks = ((b"IHDR", header), (b"tEXt", text), (b"IDAT", zlib.compress(row * side)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
