"""The header of a safetensors file: what is read, and what is refused with a sentence."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_lambda.lora_files.header import MAX_HEADER_BYTES, MAX_TENSORS, Header, Tensor, read_header
from backend_lambda.lora_files.refused import FileRefused
from tests.fakes.loras import lora_file, safetensors


class File:
    """A file that is read in parts and notices who reads beside it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.read_bytes = 0

    def __call__(self, start: int, count: int) -> bytes:
        assert 0 <= start <= len(self.content)
        assert 0 <= start + count <= len(self.content)
        self.read_bytes += count
        return self.content[start : start + count]


def read(content: bytes) -> Header:
    return read_header(File(content), len(content))


def refused(content: bytes) -> str:
    with pytest.raises(FileRefused) as caught:
        read(content)
    message = caught.value.message
    assert message[0].isupper() and message.endswith(".")
    assert len(message) < 250
    message.encode()
    return message


def with_header(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(start: int = 0, end: int = 4, dtype: Any = "F32", shape: Any = (1,), **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end], **more}


def test_a_whole_file_is_read_without_its_weights() -> None:
    content = safetensors({"a": (2, 3), "b": ()}, {"format": "pt"})
    file = File(content + b"")
    assert read_header(file, len(content)) == Header(
        {"a": Tensor("F32", (2, 3), 0, 24), "b": Tensor("F32", (), 24, 28)}, {"format": "pt"}
    )
    large = File(safetensors({"a": (1_000, 1_000)}))
    read_header(large, len(large.content))
    assert large.read_bytes <= 64 * 1024


def test_a_header_larger_than_the_first_piece_is_read_whole() -> None:
    content = safetensors({f"{'x' * 100}{index}": (1,) for index in range(2_000)})
    file = File(content)
    assert len(read_header(file, len(content)).tensors) == 2_000
    assert file.read_bytes < len(content)


def test_what_safetensors_itself_writes_is_read() -> None:
    saved = pytest.importorskip("safetensors.numpy")
    numpy = pytest.importorskip("numpy")
    content = saved.save({"w": numpy.ones((3, 5), dtype="float16"), "v": numpy.ones(7, dtype="float32")}, {"a": "b"})
    assert {name: found.shape for name, found in read(content).tensors.items()} == {"w": (3, 5), "v": (7,)}


def a_zip() -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (a_zip(), "zip archive"),
        (b"PK\x05\x06" + bytes(18), "zip archive"),
        *((pickle.dumps({"weights": [1.0] * 99}, protocol), "pickle") for protocol in (2, 3, 4, 5)),
        (b"GGUF" + bytes(50), "GGUF"),
        (b"\x1f\x8b" + bytes(50), "gzip"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(50), "7z"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "picture"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (b"<!doctype html><title>Sign in</title>", "web page"),
        (b"", "not a safetensors file"),
        (b"\x00" * 8, "not a safetensors file"),
        (b"Hello, I am a text, and nothing else.", "not a safetensors file"),
    ],
)
def test_another_kind_of_file_is_told_by_its_name(content: bytes, words: str) -> None:
    assert words in refused(content)


def test_a_header_that_begins_like_a_pickle_is_none() -> None:
    # 640 bytes of header: the file begins with 80 02, as a pickle does.
    described = json.dumps({"a": tensor()}).encode()
    content = with_header(described + b" " * (640 - len(described)), b"\0" * 4)
    assert content.startswith(b"\x80\x02")
    assert set(read(content).tensors) == {"a"}


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": tensor()}, b"\0" * 3, "outside of the file"),
        ({"a": tensor()}, b"\0" * 5, "more bytes"),
        ({"a": tensor(4, 8)}, b"\0" * 8, "a gap"),
        ({"a": tensor(0, 8, shape=[2]), "b": tensor(4, 8)}, b"\0" * 8, "overlaps"),
        ({"a": tensor(0, 4), "b": tensor(0, 4)}, b"\0" * 4, "overlaps"),
        ({"a": tensor(4, 0)}, b"\0" * 4, "outside"),
        ({"a": tensor(-4, 0)}, b"", "not described"),
        ({"a": tensor(shape=[2])}, b"\0" * 4, "another size"),
        ({"a": tensor(shape=[2**47, 2**47])}, b"\0" * 4, "another size"),
        ({"a": tensor(shape=[2**60])}, b"\0" * 4, "not described"),
        ({"a": tensor(shape=[1] * 9)}, b"\0" * 4, "not described"),
        ({"a": tensor(shape=[True])}, b"\0" * 4, "not described"),
        ({"a": tensor(shape=[-1])}, b"\0" * 4, "not described"),
        ({"a": tensor(shape="1")}, b"\0" * 4, "not described"),
        ({"a": tensor(dtype="I8")}, b"\0" * 4, "dtype I8"),
        ({"a": tensor(dtype="F8_E4M3", shape=[4])}, b"\0" * 4, "dtype F8_E4M3"),
        ({"a": tensor(dtype=["F32"])}, b"\0" * 4, "dtype"),
        ({"a": tensor(more=1)}, b"\0" * 4, "not described"),
        ({"a": {"dtype": "F32", "shape": []}}, b"\0" * 4, "not described"),
        ({"a": [1]}, b"\0" * 4, "not described"),
        ({"a": tensor(), "__metadata__": {"n": 1}}, b"\0" * 4, "metadata"),
        ({"a": tensor(), "__metadata__": ["x"]}, b"\0" * 4, "metadata"),
        (b'{"a": NaN}', b"", "can't be read"),
        (b'{"a": 1.5}', b"", "can't be read"),
        (b'{"a": {}, "a": {}}', b"", "can't be read"),
        (b'{"a": ' + b"9" * 5_000 + b"}", b"", "can't be read"),
        (b'{"a":' * 100_000, b"", "can't be read"),
        (b'{"\xff": 1}', b"", "can't be read"),
        (b"{" + b" " * 70_000, b"", "can't be read"),
        (b'{"\\ud800\\u202e' + b"x" * 200 + b'": 1}', b"", "not described"),
    ],
)
def test_what_is_wrong_with_a_header_is_said(header: Any, data: bytes, words: str) -> None:
    assert words in refused(with_header(header, data))


def test_a_header_has_no_more_than_it_needs() -> None:
    assert "8 MB" in refused(struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{" + bytes(100))
    assert "8 MB" in refused(struct.pack("<Q", 2**64 - 1) + b"{" + bytes(100))
    assert "a part of one" in refused(struct.pack("<Q", 1_000) + b"{" + bytes(100))
    many = {str(index): tensor(0, 0, shape=[0]) for index in range(MAX_TENSORS + 1)}
    assert f"{MAX_TENSORS + 1} tensors" in refused(with_header(many))


def test_a_file_that_was_cut_off_anywhere_is_refused() -> None:
    content = lora_file()
    for length in [*range(0, len(content), 7), len(content) - 1]:
        refused(content[:length])
    refused(content + b"\0")


def test_what_changes_length_while_it_is_read_is_refused() -> None:
    content = safetensors({f"{'x' * 100}{index}": (1,) for index in range(2_000)})
    with pytest.raises(FileRefused):
        read_header(lambda start, count: content[start : start + count][:100_000], len(content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DESCRIBED = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F16", "BF16", "F32", "F64", "", "I64"]) | JSON,
        "shape": st.lists(st.integers(-1, 5) | st.integers(), max_size=4) | JSON,
        "data_offsets": st.lists(st.integers(-1, 60) | st.integers(), max_size=3) | JSON,
    }
)


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_be_read_or_refused(content: bytes) -> None:
    try:
        read(content)
    except FileRefused as error:
        error.message.encode()


@given(
    st.dictionaries(st.text(max_size=8) | st.just("__metadata__"), DESCRIBED | JSON, max_size=5),
    st.binary(max_size=64),
    st.integers(-3, 3),
)
def test_no_header_does_anything_but_be_read_or_refused(header: dict[str, Any], data: bytes, off: int) -> None:
    text = json.dumps(header).encode()
    content = struct.pack("<Q", max(0, len(text) + off)) + text + data
    try:
        found = read(content)
    except FileRefused as error:
        error.message.encode()
        return
    # What is taken accounts for every byte, each once.
    ends = sorted((one.start, one.end) for one in found.tensors.values())
    assert [start for start, _ in ends] == [0, *(end for _, end in ends)][: len(ends)]
    assert max((end for _, end in ends), default=0) == len(data)


@given(st.data())
def test_a_good_file_with_a_byte_changed_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(lora_file())
    content[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(content))
    except FileRefused as error:
        error.message.encode()
