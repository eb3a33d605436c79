"""The header of a safetensors file. https://huggingface.co/docs/safetensors/index#format

Eight bytes say how long the header is (little-endian), then comes a JSON object: for each tensor its `dtype`, `shape`
and `data_offsets` into what follows, and `__metadata__`, texts by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from backend_lambda.lora_files.refused import FileRefused, shown

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 8 * 1024 * 1024
MAX_TENSORS = 20_000
MAX_DIMENSIONS = 8
DTYPE_BYTES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I64": 8, "I32": 4}
"""The dtypes that a LoRA's tensors come in, and their sizes: the last three are those of alphas (diffusers' own
conversion to kohya's names writes I64), never of weights.
"""

WEIGHT_DTYPES = ("F16", "BF16", "F32")
WEIGHTS = "F16, BF16 or F32"

Read = Callable[[int, int], bytes]
"""`read(start, count)`: so many bytes of the file from `start` on, fewer only at its end."""

_FIRST_READ = 64 * 1024
_ONLY = "Only safetensors files are taken."
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", f"This is a zip archive, as .ckpt, .pt and .bin files are: opening one can run code. {_ONLY}"),
    (b"PK\x05\x06", f"This is an empty zip archive. {_ONLY}"),
    (b"\x80\x02", f"This is a pickle, as .ckpt, .pt and .bin files are: opening one can run code. {_ONLY}"),
    (b"\x80\x03", f"This is a pickle, as .ckpt, .pt and .bin files are: opening one can run code. {_ONLY}"),
    (b"\x80\x04", f"This is a pickle, as .ckpt, .pt and .bin files are: opening one can run code. {_ONLY}"),
    (b"\x80\x05", f"This is a pickle, as .ckpt, .pt and .bin files are: opening one can run code. {_ONLY}"),
    (b"GGUF", f"This is a GGUF file. {_ONLY}"),
    (b"\x89HDF", f"This is an HDF5 file. {_ONLY}"),
    (b"\x93NUMPY", f"This is a NumPy file. {_ONLY}"),
    (b"\x1f\x8b", f"This is a gzip archive. {_ONLY} Unpack it first."),
    (b"7z\xbc\xaf", f"This is a 7z archive. {_ONLY} Unpack it first."),
    (b"Rar!", f"This is a rar archive. {_ONLY} Unpack it first."),
    (b"\x89PNG", f"This is a picture. {_ONLY}"),
    (b"\xff\xd8\xff", f"This is a picture. {_ONLY}"),
    (
        b"version https://git-lfs",
        "This is a Git LFS pointer and not the file itself: download that first.",
    ),
    (b"<", "This is a web page and not the file itself: download that first."),
)
_NOT_SAFETENSORS = "This is not a safetensors file, or only a part of one."


@dataclass(frozen=True)
class Tensor:
    """What the header says of one tensor."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a safetensors file has, by name."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read_header(read: Read, size: int) -> Header:
    """The header of a file of `size` bytes; the tensors' own bytes are not read. Raises `FileRefused`, and nothing else
    but what `read` raises: where it is no safetensors file, not a whole one, or has other dtypes than weights have.
    """
    first = read(0, min(size, _FIRST_READ))
    length = int.from_bytes(first[:LENGTH_BYTES], "little")
    begins_well = first[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{"
    # A pickle's first bytes may be a header's length as well: what follows tells them apart.
    if not begins_well:
        raise FileRefused(_kind_of(first))
    if length > MAX_HEADER_BYTES:
        raise FileRefused("This file's header is larger than 8 MB, which no LoRA needs.")
    if LENGTH_BYTES + length > size:
        raise FileRefused(_NOT_SAFETENSORS)
    text = first[LENGTH_BYTES : LENGTH_BYTES + length]
    if len(text) < length:
        text += read(LENGTH_BYTES + len(text), length - len(text))
    if len(text) != length:
        raise FileRefused(_NOT_SAFETENSORS)
    return _parse(text, size - LENGTH_BYTES - length)


def _kind_of(first: bytes) -> str:
    return next((sentence for magic, sentence in _KINDS if first.startswith(magic)), _NOT_SAFETENSORS)


def _parse(text: bytes, data_bytes: int) -> Header:
    found = _json(text)
    metadata = found.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FileRefused("This file's metadata is not made of texts, as a safetensors file's has to be.")
    if len(found) > MAX_TENSORS:
        raise FileRefused(f"This file has {len(found)} tensors, more than any LoRA has.")
    tensors = {name: _tensor(name, described, data_bytes) for name, described in found.items()}
    _check_places(tensors, data_bytes)
    return Header(tensors, metadata)


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text.decode(), object_pairs_hook=_object, parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError):
        raise FileRefused("This file's header can't be read: the file is damaged, or not safetensors.") from None
    if not isinstance(found, dict):
        raise FileRefused(_NOT_SAFETENSORS)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refuse(text: str) -> None:
    raise ValueError("a header has whole numbers only")


def _tensor(name: str, described: object, data_bytes: int) -> Tensor:
    if not isinstance(described, dict) or set(described) != {"dtype", "shape", "data_offsets"}:
        raise FileRefused(f"The tensor {shown(name)} is not described as in a safetensors file.")
    dtype, shape, offsets = described["dtype"], described["shape"], described["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        kind = shown(dtype, 10) if isinstance(dtype, str) else "no"
        raise FileRefused(f"The tensor {shown(name)} has the dtype {kind}; a LoRA's are {WEIGHTS}.")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS or not _are_counts(offsets) or len(offsets) != 2:
        raise FileRefused(f"The tensor {shown(name)} is not described as in a safetensors file.")
    start, end = offsets
    if not start <= end <= data_bytes:
        raise FileRefused(f"The tensor {shown(name)} lies outside of the file: the file is damaged, or cut off.")
    if prod(shape) * DTYPE_BYTES[dtype] != end - start:
        raise FileRefused(f"The tensor {shown(name)} has another size than its shape says: the file is damaged.")
    return Tensor(dtype, tuple(shape), start, end)


def _are_counts(value: object) -> bool:
    """Whether it is a list of whole numbers from 0 on, none of them larger than any file."""
    return isinstance(value, list) and all(type(one) is int and 0 <= one < 2**48 for one in value)


def _check_places(tensors: dict[str, Tensor], data_bytes: int) -> None:
    """One tensor behind the other, from the first byte to the last: what nobody names could be anything."""
    expected = 0
    for name, tensor in sorted(tensors.items(), key=lambda one: (one[1].start, one[1].end)):
        if tensor.start != expected:
            what = "overlaps another one" if tensor.start < expected else "has a gap before it"
            raise FileRefused(f"The tensor {shown(name)} {what}: the file is damaged.")
        expected = tensor.end
    if expected != data_bytes:
        raise FileRefused("This file has more bytes than its header says: the file is damaged.")
