"""What becomes of a file that somebody sends as a picture: pixels and nothing else, or a fault. Never an exception."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from backend_lambda.contract.training_limits import MAX_PICTURE_BYTES, MAX_RESOLUTION
from backend_lambda.contract.trainings import PictureFault
from backend_lambda.dataset.check import check_picture
from backend_lambda.dataset.contact_sheet import contact_sheet
from backend_lambda.dataset.faults import FORMATS, SENTENCES, fault_sentence
from backend_lambda.dataset.look import same_look
from backend_lambda.dataset.verdicts import BadPicture, GoodPicture
from tests.fakes.backend_trainings import encoded, picture, png


def good(content: bytes) -> GoodPicture:
    found = check_picture(content)
    assert isinstance(found, GoodPicture), found
    return found


def fault(content: bytes) -> PictureFault:
    found = check_picture(content)
    assert isinstance(found, BadPicture), "it was accepted"
    return found.fault


def pixels(found: GoodPicture) -> Image.Image:
    """What is kept, after a look at that it is nothing but an RGB PNG."""
    kept = Image.open(io.BytesIO(found.png))
    assert (kept.format, kept.mode, kept.size) == ("PNG", "RGB", (found.width, found.height))
    kept.load()
    assert kept.info == {} and dict(kept.getexif()) == {}
    assert _chunks(found.png) <= {b"IHDR", b"IDAT", b"IEND"}
    assert max(kept.size) <= MAX_RESOLUTION
    return kept


def _chunks(content: bytes) -> set[bytes]:
    found, at = set(), 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        found.add(content[at + 4 : at + 8])
        at += 12 + length
    return found


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_each_format_is_taken_by_its_content(kind: str) -> None:
    kept = pixels(good(encoded(picture(1), kind)))
    assert kept.size == (128, 128)
    assert kept.getpixel((0, 0))[0] > 245
    assert kind in FORMATS


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "PDF", "TGA"])
def test_other_formats_are_no_pictures_here(kind: str) -> None:
    assert fault(encoded(picture(1), kind)) is PictureFault.NOT_A_PICTURE


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"%PDF-1.7 hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"PK\3\4" + b"x" * 99],
)
def test_what_is_no_picture_is_none(content: bytes) -> None:
    assert fault(content) is PictureFault.NOT_A_PICTURE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.8])
def test_a_file_that_is_cut_off_is_damaged(kind: str, part: float) -> None:
    whole = encoded(picture(1, (256, 256)), kind)
    assert fault(whole[: int(len(whole) * part)]) is PictureFault.TRUNCATED


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_refused(kind: str) -> None:
    content = encoded(picture(1), kind, save_all=True, append_images=[picture(2), picture(3)])
    assert fault(content) is PictureFault.ANIMATED


def test_a_phones_jpeg_with_a_second_picture_behind_it_is_a_photo() -> None:
    content = encoded(picture(1), "MPO", save_all=True, append_images=[picture(2, (64, 64))])
    found = good(content)
    assert found.sha256 != good(encoded(picture(2), "JPEG")).sha256
    assert pixels(found).size == (128, 128)


def test_more_bytes_than_a_picture_may_have() -> None:
    assert fault(b"\x89PNG\r\n\x1a\n" + b"\0" * MAX_PICTURE_BYTES) is PictureFault.TOO_LARGE


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than is there."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height"), [(6_400, 6_400), (50_000, 50_000), (65_535, 65_535), (2**31 - 1, 2**31 - 1)]
)
def test_a_bomb_is_refused_before_it_is_decoded(width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(self: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", decode)
    assert fault(bomb(width, height)) is PictureFault.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((63, 100), PictureFault.TOO_SMALL),
        ((1, 1), PictureFault.TOO_SMALL),
        ((64, 193), PictureFault.TOO_NARROW),
        ((600, 100), PictureFault.TOO_NARROW),
    ],
)
def test_too_small_and_too_narrow(size: tuple[int, int], expected: PictureFault) -> None:
    found = check_picture(encoded(Image.new("RGB", size)))
    assert isinstance(found, BadPicture)
    assert (found.fault, found.width, found.height) == (expected, *size)


def test_the_smallest_and_the_narrowest_are_taken() -> None:
    assert pixels(good(encoded(Image.new("RGB", (64, 192))))).size == (64, 192)


def test_a_large_picture_is_kept_smaller() -> None:
    assert pixels(good(encoded(picture(1, (3_000, 1_500)), "JPEG"))).size == (2_048, 1_024)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exifs_orientation_is_applied_and_forgotten(orientation: int) -> None:
    upright = picture(5, (160, 96))
    turned = upright
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what a camera held that way has stored
    if orientation in undo:
        turned = upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"
    content = encoded(turned, "PNG", exif=exif)
    kept = pixels(good(content))
    assert kept.size == upright.size and kept.tobytes() == upright.tobytes()
    assert b"A camera" in content and b"A camera" not in good(content).png


def test_damaged_exif_does_not_cost_the_picture() -> None:
    content = encoded(picture(1), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xee" * 40)
    assert pixels(good(content)).size == (128, 128)


def test_metadata_of_every_kind_is_gone() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a secret prompt")
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>secret</x:xmpmeta>")
    content = encoded(picture(1), "PNG", pnginfo=info, dpi=(300, 300), icc_profile=b"profile" * 30)
    assert pixels(good(content)).tobytes() == picture(1).tobytes()
    assert b"secret" not in good(content).png


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    kinds = {"CMYK": "JPEG", "YCbCr": "JPEG", "PA": "GIF"}
    made = picture(3)
    made = Image.fromarray(_sixteen(made)) if mode == "I;16" else made.convert(mode if mode != "PA" else "P")
    kept = pixels(good(encoded(made, kinds.get(mode, "PNG"))))
    white, drawn = kept.getpixel((2, 2)), kept.getpixel((111 % 64 + 32, 159 % 64 + 32))
    assert min(white) >= 250
    assert min(drawn) < 200


def _sixteen(made: Image.Image) -> object:
    import numpy

    return numpy.asarray(made.convert("L")).astype("uint16") * 257


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    import numpy

    half = Image.fromarray(numpy.full((80, 80), 32_768, dtype="uint16"))
    assert pixels(good(encoded(half))).getpixel((5, 5)) == (128, 128, 128)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    made = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    made.paste((200, 0, 0, 255), (40, 0, 80, 80))
    options = {}
    if mode == "P":
        made = made.convert("RGB").quantize(4)
        options["transparency"] = made.getpixel((5, 5))
    kept = pixels(good(encoded(made.convert(mode) if mode == "LA" else made, "PNG", **options)))
    assert kept.getpixel((5, 5)) == (255, 255, 255)
    assert kept.getpixel((60, 5)) != (255, 255, 255)


def test_the_same_pixels_have_the_same_sum_however_they_are_stored() -> None:
    assert good(encoded(picture(1), "PNG")).sha256 == good(encoded(picture(1), "BMP")).sha256
    assert good(png(1)).sha256 != good(png(2)).sha256


def test_copies_look_the_same_and_other_drawings_do_not() -> None:
    looks = [good(encoded(picture(index, (256, 256)))).look for index in range(40)]
    for index in range(40):
        for quality, size in ((60, (256, 256)), (90, (180, 180)), (75, (512, 512))):
            copy = picture(index, (256, 256)).resize(size, Image.Resampling.BICUBIC)
            assert same_look(looks[index], good(encoded(copy, "JPEG", quality=quality)).look)
        assert [other for other in range(40) if same_look(looks[index], looks[other])] == [index]


def test_a_thing_that_has_moved_or_changed_its_colour_a_little_is_another_picture() -> None:
    def drawn(left: int, colour: tuple[int, int, int]) -> str:
        made = Image.new("RGB", (128, 128), (255, 255, 255))
        made.paste(colour, (left, 40, left + 40, 80))
        return good(encoded(made)).look

    assert same_look(drawn(40, (200, 30, 30)), drawn(40, (200, 30, 30)))
    assert not same_look(drawn(40, (200, 30, 30)), drawn(44, (200, 30, 30)))
    assert not same_look(drawn(40, (200, 30, 30)), drawn(40, (180, 30, 30)))


def test_a_contact_sheet_shows_them_all() -> None:
    for count in (1, 3, 8, 50):
        sheet = Image.open(io.BytesIO(contact_sheet([good(png(index)).thumbnail for index in range(count)])))
        assert sheet.format == "PNG" and sheet.width >= sheet.height
        cells = sheet.width // 200 * (sheet.height // 200)
        assert cells >= count


@pytest.mark.parametrize("each", PictureFault)
def test_every_fault_is_one_sentence_or_two_that_name_the_file(each: PictureFault) -> None:
    sentence = fault_sentence(each, "holiday\u202e\n.png" + "x" * 300, width=10, height=20, same_as="a.png")
    assert "holiday" in sentence and sentence.endswith(".") and len(sentence) < 250
    assert sentence.isprintable()
    assert set(SENTENCES) == set(PictureFault)


SAMPLES = [
    encoded(picture(index, (70 + index, 90)), kind)
    for index, kind in enumerate(["PNG", "JPEG", "WEBP", "GIF", "BMP", "PNG"])
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A picture's file with some of its bytes changed, cut out or put in."""
    content = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.integers(0, 2)):
            case 0:
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del content[at : at + draw(st.integers(1, 40))]
            case _:
                content[at:at] = draw(st.binary(max_size=8))
    return bytes(content)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
def test_whatever_is_sent_it_is_pixels_or_a_fault(content: bytes) -> None:
    found = check_picture(content)
    if isinstance(found, GoodPicture):
        pixels(found)
    else:
        assert found.fault in PictureFault


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=2_000), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF"])
)
def test_noise_is_a_fault(noise: bytes, start: bytes) -> None:
    assert isinstance(check_picture(start + noise), BadPicture)
