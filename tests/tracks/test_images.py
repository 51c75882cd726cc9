"""Pictures of strangers as frames: the right pixels the right way up, and everything else refused with its reason."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from av import VideoCodecContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.tracks.stills.files import (
    COLOURS,
    bars,
    canvas,
    chunks,
    cornered,
    encoded,
    grey_progressive,
    noise,
    png,
    png_of,
    riff,
    riff_chunks,
    segment,
    turned,
)
from tracks.draw import annotate
from tracks.errors import InvalidRequest, PayloadTooLarge, UnsupportedMedia, VedetteError
from tracks.images import ImageLimits, as_video, decode_image, image_size
from tracks.planes import planes
from tracks.stills import read_still
from tracks.stills.jpeg import MAX_SCANS
from tracks.types import Detections

KINDS = {
    "jpeg 4:2:0": ("JPEG", {"quality": 95}),
    "jpeg 4:2:2": ("JPEG", {"quality": 95, "subsampling": 1}),
    "jpeg 4:4:4": ("JPEG", {"quality": 95, "subsampling": 0}),
    "jpeg rgb": ("JPEG", {"quality": 95, "keep_rgb": True}),
    "jpeg progressive": ("JPEG", {"quality": 95, "progressive": True}),
    "jpeg restarts": ("JPEG", {"quality": 95, "restart_marker_blocks": 2}),
    "png": ("PNG", {}),
    "webp lossy": ("WEBP", {"quality": 95}),
    "webp lossless": ("WEBP", {"lossless": True}),
}
PLAIN = ("JPEG", "PNG", "WEBP")


def kind(name: str, image: Image.Image) -> bytes:
    format, options = KINDS[name]
    return encoded(image, format, **options)


def rgb(data: bytes) -> np.ndarray:
    """(height, width, 3) of what was decoded, as int."""
    frame = decode_image(data)
    assert frame.format.name == "yuv420p"
    assert (frame.pts, frame.width, frame.height) == (None, *image_size(data))
    return frame.to_ndarray(format="rgb24").astype(int)


def middles(pixels: np.ndarray) -> list[list[int]]:
    """The colour in the middle of each bar."""
    height, width = pixels.shape[:2]
    return [pixels[height // 2, (2 * n + 1) * width // (2 * len(COLOURS))].tolist() for n in range(len(COLOURS))]


def refused(data: bytes) -> VedetteError:
    """How a file is refused."""
    with pytest.raises(VedetteError) as caught:
        decode_image(data)
    return caught.value


def no_decoder(*args: Any) -> None:
    raise AssertionError("a decoder was made")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [(120, 80), (121, 81), (1280, 720)])
def test_colours_survive(name: str, size: tuple[int, int]) -> None:
    """Black is black, white is white and red is red in every kind of file, also at odd sizes."""
    pixels = rgb(kind(name, bars(size)))
    assert pixels.shape == (size[1], size[0], 3)
    for found, colour in zip(middles(pixels), COLOURS, strict=True):
        assert found == pytest.approx(colour, abs=8)


@pytest.mark.parametrize(
    ("mode", "format", "options"),
    [
        ("L", "JPEG", {"quality": 95}),
        ("L", "PNG", {}),
        ("1", "PNG", {}),
        ("LA", "PNG", {}),
        ("L", "WEBP", {"lossless": True}),
    ],
)
def test_grey_stays_grey(mode: str, format: str, options: dict[str, Any]) -> None:
    """A picture without colours has the whole range from black to white."""
    grey = Image.fromarray(np.repeat([[0, 255]], 40, axis=1).repeat(40, axis=0).astype(np.uint8))
    pixels = rgb(encoded(grey.convert(mode), format, **options))
    assert pixels[20, 20].tolist() == pytest.approx([0, 0, 0], abs=3)
    assert pixels[20, 60].tolist() == pytest.approx([255, 255, 255], abs=3)


def test_palettes_are_looked_up() -> None:
    """A PNG with a palette has its colours."""
    for found, colour in zip(middles(rgb(encoded(bars().quantize(8), "PNG"))), COLOURS, strict=True):
        assert found == pytest.approx(colour, abs=8)


def test_sixteen_bits_are_scaled() -> None:
    """A PNG of 16 bits is as bright as one of 8, in grey and in colour."""
    grey = b"".join(b"\0" + struct.pack(">40H", *[0x0000, 0xC800] * 20) for _ in range(20))
    colour = b"".join(b"\0" + struct.pack(">60H", *[0xE600, 0x2800, 0x2800] * 20) for _ in range(20))
    assert rgb(png(40, 20, grey, depth=16, colour=0)).mean() == pytest.approx(100, abs=2)
    assert rgb(png(20, 20, colour, depth=16, colour=2))[10, 10].tolist() == pytest.approx([230, 40, 40], abs=4)


def test_interlaced_is_taken_and_counted() -> None:
    """Adam7's seven passes make one picture; with one row less it is damaged."""
    rows = b""
    for first_x, first_y, dx, dy in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
    ):
        rows += (b"\0" + bytes([200] * len(range(first_x, 21, dx)))) * len(range(first_y, 13, dy))
    assert rgb(png(21, 13, rows, colour=0, interlace=1)).mean() == pytest.approx(200, abs=2)
    assert str(refused(png(21, 13, rows[:-22], colour=0, interlace=1))) == "the PNG is damaged"


@pytest.mark.parametrize(
    ("mode", "format", "options"),
    [
        ("RGBA", "PNG", {}),
        ("LA", "PNG", {}),
        ("RGBA", "WEBP", {"lossless": True, "exact": True}),
        ("RGBA", "WEBP", {"quality": 95}),
    ],
)
def test_what_is_transparent_becomes_grey(mode: str, format: str, options: dict[str, Any]) -> None:
    """Where nothing is, the detector's padding is; half of it shines through what is half there."""
    image = Image.new(mode, (90, 40), (250,) * (len(mode) - 1) + (255,))
    image.putalpha(Image.fromarray(np.repeat([[0, 128, 255]], 30, axis=1).repeat(40, axis=0).astype(np.uint8)))
    pixels = rgb(encoded(image, format, **options))
    for x, level in ((10, 114), (45, 182), (80, 250)):
        assert pixels[20, x].tolist() == pytest.approx([level] * 3, abs=6)


def test_a_palette_may_be_transparent() -> None:
    """A colour of a palette that is transparent becomes grey, too."""
    image = bars().quantize(8)
    pixels = rgb(encoded(image, "PNG", transparency=image.getpixel((10, 10))))
    assert pixels[10, 10].tolist() == pytest.approx([114] * 3, abs=3)
    assert pixels[10, 30].tolist() == pytest.approx([255] * 3, abs=3)


@pytest.mark.parametrize("format", PLAIN)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_tells_which_way_up(format: str, orientation: int) -> None:
    """All eight orientations come out as an image viewer shows them, and the size goes with them."""
    image = cornered((121, 80))
    data = turned(image, format, orientation)
    pixels = rgb(data)
    expected = rgb(encoded(image, format))
    rows, columns = {
        1: ((0, 1), (0, 1)),
        2: ((0, 1), (1, 0)),
        3: ((1, 0), (1, 0)),
        4: ((1, 0), (0, 1)),
        5: ((0, 1), (0, 1)),
        6: ((0, 1), (1, 0)),
        7: ((1, 0), (1, 0)),
        8: ((1, 0), (0, 1)),
    }[orientation]
    assert pixels.shape[:2] == (expected.shape[:2] if orientation < 5 else expected.shape[1::-1])
    height, width = pixels.shape[:2]
    bright = pixels[10 if rows == (0, 1) else height - 10, 10 if columns == (0, 1) else width - 10]
    assert bright.tolist() == pytest.approx([230] * 3, abs=4)
    assert pixels[10 if rows == (1, 0) else height - 10, 10 if columns == (1, 0) else width - 10].max() < 30


def exif_block(order: str, *entries: bytes) -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IH", 8, len(entries)) + b"".join(entries) + bytes(4)


def entry(order: str, tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack(f"{order}HHIHH", tag, kind, count, value, 0)


@pytest.mark.parametrize(
    ("exif", "is_turned"),
    [
        (exif_block("<", entry("<", 271, 2, 1, 0), entry("<", 274, 3, 1, 6)), True),
        (exif_block(">", entry(">", 274, 3, 1, 8)), True),
        (exif_block("<", entry("<", 274, 3, 1, 9)), False),
        (exif_block("<", entry("<", 274, 3, 1, 0)), False),
        (exif_block("<", entry("<", 274, 4, 1, 6)), False),
        (exif_block("<", entry("<", 274, 3, 2, 6)), False),
        (exif_block("<", entry("<", 274, 3, 1, 6))[:18], False),
        (b"II*\0" + struct.pack("<IH", 8, 65535), False),
        (b"II*\0\xff\xff\xff\xff", False),
        (b"II*", False),
        (b"", False),
        (b"nonsense" * 20, False),
    ],
)
@pytest.mark.parametrize("format", PLAIN)
def test_broken_exif_turns_nothing(format: str, exif: bytes, is_turned: bool) -> None:
    """Both byte orders are read; whatever is wrong with the metadata, the picture is taken as it lies."""
    image = bars((120, 80))
    if format == "JPEG":
        data = b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + exif) + encoded(image, format)[2:]
    elif format == "PNG":
        data = png_of([*list(chunks(encoded(image, format)))[:-1], (b"eXIf", exif), (b"IEND", b"")])
    else:
        data = riff(canvas(120, 80, 8), *riff_chunks(encoded(image, format)), (b"EXIF", exif))
    assert image_size(data) == ((80, 120) if is_turned else (120, 80))
    assert rgb(data).shape[:2] == ((120, 80) if is_turned else (80, 120))


@pytest.mark.parametrize("format", PLAIN)
def test_no_decoder_sees_metadata(format: str) -> None:
    """Profiles, EXIF, comments, texts and what is appended stay behind; the picture is the same without them."""
    secret = b"secret" * 30
    plain = encoded(bars(), format)
    if format == "JPEG":
        noisy = b"".join(segment(each, secret) for each in (0xE0, 0xE1, 0xE2, 0xED, 0xFE))
        data = plain[:2] + noisy + plain[2:] + secret
    elif format == "PNG":
        first, *rest = chunks(plain)
        data = png_of([first, (b"tEXt", secret), (b"iCCP", secret), *rest]) + secret
    else:
        data = riff(canvas(120, 80, 0x2C), (b"ICCP", secret), *riff_chunks(plain), (b"XMP ", secret)) + secret
    assert b"secret" not in read_still(data).picture
    assert np.array_equal(rgb(data), rgb(plain))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the picture has 0 bytes"),
        *((kind(name, bars((1, 1))), "the picture has 1x1 pixels, at least 2 a side are needed") for name in KINDS),
        (encoded(bars((1, 300)), "PNG"), "the picture has 1x300 pixels, at least 2 a side are needed"),
    ],
)
def test_nothing_to_look_at_is_an_invalid_request(data: bytes, message: str) -> None:
    """A file of nothing and a picture of one pixel are named as what they are."""
    error = refused(data)
    assert (type(error), error.message) == (InvalidRequest, message)


@pytest.mark.parametrize("name", KINDS)
def test_two_by_two_pixels_are_a_picture(name: str) -> None:
    """The smallest that can be scaled for a detector is taken."""
    assert rgb(kind(name, Image.new("RGB", (2, 2), (200, 200, 200)))).mean() == pytest.approx(200, abs=3)


@pytest.mark.parametrize(
    "data",
    [
        encoded(bars(), "GIF"),
        encoded(bars(), "BMP"),
        encoded(bars(), "TIFF"),
        encoded(bars(), "PPM"),
        encoded(bars(), "AVIF"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"RIFF\x24\0\0\0WAVEfmt ",
        bytes(100),
        b"\xff\xd8",
        b"\x89PNG",
    ],
)
def test_other_formats_are_unsupported(data: bytes) -> None:
    """Whatever is not one of the three is refused by its content, with the three named."""
    error = refused(data)
    assert (type(error), error.message) == (
        UnsupportedMedia,
        "this is no picture that is taken, have: JPEG, PNG, WebP",
    )
    assert error.details == {"formats": ["JPEG", "PNG", "WebP"]}


def with_frame(data: bytes, **changes: int) -> bytes:
    """A JPEG whose frame header says something else."""
    at = data.index(b"\xff\xc0")
    marker, bits, height, width, components = data[at + 1], *struct.unpack_from(">BHHB", data, at + 4)
    now = {"marker": marker, "bits": bits, "height": height, "width": width, "components": components, **changes}
    head = struct.pack(">BHHB", now["bits"], now["height"], now["width"], now["components"])
    return data[: at + 1] + bytes((now["marker"],)) + data[at + 2 : at + 4] + head + data[at + 10 :]


def animated(format: str) -> bytes:
    return encoded(bars(), format, save_all=True, append_images=[cornered()], duration=100)


JPEG = encoded(bars(), "JPEG")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (animated("PNG"), "an animated PNG is not taken, only a single picture"),
        (animated("WEBP"), "an animated WebP is not taken, only a single picture"),
        (
            encoded(bars().convert("CMYK"), "JPEG"),
            "a JPEG of 4 colour components (CMYK has 4) is not taken, only of 1 and 3",
        ),
        (with_frame(JPEG, bits=12), "a JPEG of 12 bits is not taken, only of 8"),
        *(
            (with_frame(JPEG, marker=each), "a JPEG that is lossless, hierarchical or arithmetic-coded is not taken")
            for each in (0xC3, 0xC5, 0xC9, 0xCF, 0xF7)
        ),
        (grey_progressive(64, 64, MAX_SCANS + 1), "a JPEG of more than 100 scans is not taken"),
        (JPEG[:2] + segment(0xFE, b"") * 20_000 + JPEG[2:], "a JPEG of more than 20000 segments is not taken"),
        (
            png_of([(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)), *[(b"tEXt", b"")] * 20_000]),
            "a PNG of more than 20000 chunks is not taken",
        ),
        (riff(*[(b"XMP ", b"")] * 20_001), "a WebP of more than 20000 chunks is not taken"),
    ],
)
def test_rare_kinds_are_unsupported(data: bytes, message: str) -> None:
    """Animations, CMYK, and what few encoders make is refused before anything is decoded, and named."""
    error = refused(data)
    assert (type(error), error.message) == (UnsupportedMedia, message)


def test_of_several_pictures_in_a_jpeg_the_first_is_taken() -> None:
    """Telephones append depth maps and films to their photos (MPO): they are left alone."""
    data = encoded(bars(), "MPO", save_all=True, append_images=[cornered()])
    assert np.abs(rgb(data) - rgb(JPEG)).max() <= 8


HUGE = [
    (with_frame(JPEG, width=65_535, height=65_535), (65_535, 65_535)),
    (with_frame(JPEG, width=3841, height=2160), (3841, 2160)),
    (with_frame(JPEG, width=16_385, height=2), (16_385, 2)),
    (png((1 << 31) - 1, (1 << 31) - 1, b""), ((1 << 31) - 1, (1 << 31) - 1)),
    (png(100_000, 2, b""), (100_000, 2)),
    (riff((b"VP8L", b"\x2f" + struct.pack("<I", 16_383 | 16_383 << 14) + bytes(20))), (16_384, 16_384)),
    (riff((b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", 16_383, 16_383))), (16_383, 16_383)),
]


@pytest.mark.parametrize(("data", "size"), HUGE)
def test_too_many_pixels_are_refused_undecoded(
    monkeypatch: pytest.MonkeyPatch, data: bytes, size: tuple[int, int]
) -> None:
    """A few hundred bytes that claim gigapixels are refused by their header, and no decoder is even made."""
    monkeypatch.setattr(VideoCodecContext, "create", no_decoder, raising=False)
    for call in (decode_image, image_size):
        with pytest.raises(PayloadTooLarge) as caught:
            call(data)
        assert caught.value.message == (
            f"the picture has {size[0]}x{size[1]} pixels, at most 8294400 in all and 16384 a side are taken"
        )
        assert caught.value.details == {
            "width": size[0],
            "height": size[1],
            "maxPixels": 8_294_400,
            "maxSide": 16_384,
        }


def test_too_many_bytes_are_refused_unread() -> None:
    """Above three bytes a pixel of the largest picture nothing is looked at."""
    limits = ImageLimits(max_pixels=1000)
    for call in (decode_image, image_size):
        with pytest.raises(PayloadTooLarge, match="has 3001 bytes, at most 3000 are taken"):
            call(bytes(3001), limits)


def test_the_largest_picture_is_taken() -> None:
    """3840x2160 pixels are decoded, in every format."""
    for format in PLAIN:
        frame = decode_image(encoded(Image.new("RGB", (3840, 2160), (90, 90, 90)), format))
        assert (frame.width, frame.height) == (3840, 2160)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_ends_early_is_cut_off(name: str) -> None:
    """Wherever a file was cut, it is not taken for a whole one."""
    data = kind(name, noise())
    name = read_still(data).format
    for length in (*range(12, 200), *range(200, len(data), max(1, len(data) // 60)), len(data) - 2, len(data) - 1):
        error = refused(data[:length])
        assert (type(error), error.message) == (InvalidRequest, f"the {name} is cut off"), length


def without_last_row(data: bytes) -> bytes:
    """A PNG whose data is one row short."""
    parts = dict(chunks(data))
    rows = zlib.decompress(parts[b"IDAT"])
    parts[b"IDAT"] = zlib.compress(rows[: -(1 + 3 * 120)])
    return png_of(list(parts.items()))


PNG, WEBP = encoded(bars(), "PNG"), encoded(bars(), "WEBP", quality=90)
VP8 = dict(riff_chunks(WEBP))[b"VP8 "]


CONTRADICTIONS = [
    with_frame(JPEG, height=0),
    with_frame(JPEG, width=0),
    JPEG[:2] + JPEG[JPEG.index(b"\xff\xc0") : JPEG.index(b"\xff\xc4")] + JPEG[2:],
    JPEG[:2] + b"\xff\xd8" + JPEG[2:],
    JPEG[:2] + b"\xff\xfe\x00\x01" + JPEG[2:],
    b"\xff\xd8\xff\xd9",
    b"\xff\xd8" + JPEG[JPEG.index(b"\xff\xda") :],
    JPEG[: JPEG.index(b"\xff\xda")] + b"\xff\xd9",
    png(10, 10, bytes(310), depth=7),
    png(10, 10, bytes(310), colour=5),
    png(0, 10, bytes(310)),
    png(10, 10, bytes(310), interlace=2),
    png_of([(b"IHDR", bytes(12)), (b"IEND", b"")]),
    png_of([next(chunks(PNG)), *chunks(PNG)]),
    png_of(list(chunks(PNG))[1:]),
    png_of([next(chunks(PNG)), (b"NEWS", b"x"), *list(chunks(PNG))[1:]]),
    riff(canvas(240, 80), (b"VP8 ", VP8)),
    riff(canvas(120, 80)),
    riff((b"VP8 ", b"\x01" + VP8[1:])),
    riff((b"VP8 ", VP8[:9])),
    riff((b"VP8 ", VP8[:6] + bytes(4) + VP8[10:])),
    riff((b"VP8L", b"\x2e\0\0\0\0")),
    riff(),
]


@pytest.mark.parametrize("data", CONTRADICTIONS)
def test_what_contradicts_itself_is_damaged(data: bytes) -> None:
    """Parts that are twice there, missing or impossible are not guessed at, nor given to a decoder."""
    with pytest.raises(InvalidRequest, match=r"is damaged$"):
        read_still(data)


@pytest.mark.parametrize(
    "data",
    [
        with_frame(encoded(noise(), "JPEG"), height=800),
        with_frame(encoded(noise(), "JPEG"), width=640),
        without_last_row(PNG),
        png(4000, 2000, bytes(301) * 10),
        png(10, 10, b"\x09" * 310),
        png_of([next(chunks(PNG)), (b"IEND", b"")]),
        PNG[:60] + bytes((PNG[60] ^ 1,)) + PNG[61:],
        PNG[:-13] + bytes((PNG[-13] ^ 1,)) + PNG[-12:],
        riff((b"VP8L", b"\x2f\x09\x40\x02\0")),
        riff((b"VP8 ", VP8[:10])),
    ],
)
def test_headers_that_lie_are_found_out(data: bytes) -> None:
    """A file with fewer pixels than its header says, or others than its checksums say, is damaged."""
    read_still(data)
    error = refused(data)
    assert isinstance(error, InvalidRequest)
    assert error.message.endswith("is damaged")


def test_a_chunk_ends_within_its_file() -> None:
    """A WebP whose picture claims to go on behind the end that its first line gives is cut off."""
    data = WEBP[:4] + struct.pack("<I", len(WEBP) - 10) + WEBP[8:]
    assert refused(data).message == "the WebP is cut off"


@pytest.mark.parametrize("zeros", range((1 << 18) - 3, (1 << 18) + 3))
def test_the_end_of_a_scan_is_found_wherever_it_is(zeros: int) -> None:
    """Also where the marker lies across two of the stretches that are searched."""
    head = JPEG[: JPEG.index(b"\xff\xda")] + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
    picture = read_still(head + bytes(zeros) + b"\xff\xd9" + b"more").picture
    assert picture.endswith(b"\x3f\x00" + bytes(zeros) + b"\xff\xd9")


def test_the_decoder_must_agree_with_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a file be read in two ways, its picture is not one whose size nobody has checked."""
    monkeypatch.setattr("tracks.images.read_still", lambda data: replace(read_still(data), width=64))
    assert refused(JPEG).message == "the JPEG is damaged"


def test_bombs_cost_nothing() -> None:
    """Texts that inflate to 100 MB are not inflated, and the most scans of the largest JPEG are soon decoded."""
    text = b"k\0\0" + zlib.compress(bytes(100_000_000), 9)
    assert rgb(png_of([next(chunks(PNG)), (b"zTXt", text), *list(chunks(PNG))[1:]])).shape == (80, 120, 3)
    assert decode_image(grey_progressive(3840, 2160, MAX_SCANS)).width == 3840


def test_boxes_can_be_drawn_on_a_frame() -> None:
    """Though it has no pts and no time base."""
    box = Detections(np.array([[10, 10, 60, 60]], np.float32), np.array([0.9], np.float32), np.array([0], np.int32))
    drawn = annotate(decode_image(JPEG), box, ("person",))
    assert (drawn.pts, drawn.time_base) == (None, None)
    assert not np.array_equal(planes(drawn).u, planes(decode_image(JPEG)).u)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_what_is_left_as_stored_is_converted_later(name: str, orientation: int) -> None:
    """Only a JPEG of the usual kind is left as it is; conversion gives the frame that it would have been."""
    format, options = KINDS[name]
    data = turned(bars((64, 48)), format, orientation, **options)
    stored, shown = decode_image(data, as_stored=True), decode_image(data)
    usual = name in ("jpeg 4:2:0", "jpeg progressive", "jpeg restarts") and orientation == 1
    assert stored.format.name == ("yuvj420p" if usual else "yuv420p")
    for one, other in zip(planes(as_video(stored)), planes(shown), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_frame_may_be_written_to() -> None:
    """Its planes are its own: an overlay is drawn on them, and decoding again gives the picture as it was."""
    frame = decode_image(JPEG)
    before = planes(frame).y.copy()
    planes(frame).y[:] = 0
    assert np.array_equal(planes(decode_image(JPEG)).y, before)


SMALL = (48, 40)
SEEDS = [
    *(kind(name, image(SMALL)) for name, image in itertools.product(KINDS, (bars, noise))),
    *(turned(bars(SMALL), format, 6) for format in PLAIN),
    encoded(bars(SMALL).quantize(8), "PNG", transparency=1),
    encoded(bars(SMALL).convert("RGBA"), "PNG"),
    encoded(Image.merge("RGBA", (*noise(SMALL).split(), noise(SMALL).split()[0])), "WEBP", quality=80),
    encoded(bars(SMALL).convert("L"), "JPEG"),
    grey_progressive(*SMALL, 5),
    animated("WEBP"),
    animated("PNG"),
]

Mutation = Callable[[bytearray], None]
places = st.floats(0, 1)
values = st.one_of(
    st.sampled_from([b"\0", b"\xff", b"\xff\xff\xff\xff", b"\xff\xd9", b"\xff\xc4"]), st.binary(max_size=6)
)


def overwrite(place: float, value: bytes) -> Mutation:
    def apply(data: bytearray) -> None:
        at = int(place * len(data))
        data[at : at + len(value)] = value

    return apply


def early(place: float, value: bytes) -> Mutation:
    """Among the headers, where most decisions are made."""

    def apply(data: bytearray) -> None:
        at = int(place * min(len(data), 64))
        data[at : at + len(value)] = value

    return apply


def remove(place: float, length: float) -> Mutation:
    def apply(data: bytearray) -> None:
        at = int(place * len(data))
        del data[at : at + 1 + int(length * 40)]

    return apply


def repeat(place: float, length: float) -> Mutation:
    def apply(data: bytearray) -> None:
        at = int(place * len(data))
        data[at:at] = data[at : at + 1 + int(length * 200)]

    return apply


def splice(place: float, other: bytes) -> Mutation:
    def apply(data: bytearray) -> None:
        data[int(place * len(data)) :] = other[int(place * len(other)) :]

    return apply


mutations = st.one_of(
    st.builds(overwrite, places, values),
    st.builds(early, places, values),
    st.builds(remove, places, places),
    st.builds(repeat, places, places),
    st.builds(splice, places, st.sampled_from(SEEDS)),
)


def repaired(data: bytes) -> bytes:
    """The file with its checksums and lengths put right, so that what was changed reaches the decoder."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return png_of(list(chunks(data)))
    if data.startswith(b"RIFF"):
        return data[:4] + struct.pack("<I", max(0, len(data) - 8)) + data[8:]
    return data


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.sampled_from(SEEDS), changes=st.lists(mutations, min_size=1, max_size=5), repair=st.booleans())
def test_whatever_is_sent_is_a_picture_or_refused(seed: bytes, changes: list[Mutation], repair: bool) -> None:
    """Of mutated files nothing comes out but frames of the size that was told, and errors for the client."""
    data = bytearray(seed)
    for change in changes:
        change(data)
    sent = repaired(bytes(data)) if repair else bytes(data)
    try:
        size = image_size(sent)
        frame = decode_image(sent)
    except (InvalidRequest, UnsupportedMedia, PayloadTooLarge):
        return
    assert (frame.format.name, frame.width, frame.height) == ("yuv420p", *size)
    assert sum(plane.size for plane in planes(frame)) >= frame.width * frame.height


def test_pillow_agrees() -> None:
    """The frame of a photograph-like picture is the one that Pillow makes of the same file."""
    width, height = 320, 240
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    image = Image.fromarray(np.stack((x, y, 255 - x), axis=2).astype(np.uint8))
    for name in KINDS:
        data = kind(name, image)
        with Image.open(io.BytesIO(data)) as opened:
            expected = np.asarray(opened.convert("RGB")).astype(int)
        assert np.abs(rgb(data) - expected).mean() < 2
