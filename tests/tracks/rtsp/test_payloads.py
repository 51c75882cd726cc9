"""From packets to what decoders take. What real servers send is in tests/cameras; here are the edges."""

from __future__ import annotations

import pytest

from tracks.rtsp.payloads.aac import Aac
from tracks.rtsp.payloads.h26x import H264, H265, START, Pictures
from tracks.rtsp.payloads.jpeg import Jpeg
from tracks.rtsp.payloads.unit import MAX_UNIT_BYTES, Depacketizer, Unit
from tracks.rtsp.rtp import Packet

IDR, SLICE = b"\x65" + b"i" * 20, b"\x41" + b"p" * 20


def put(into: Depacketizer, *packets: tuple[bytes, int, bool, bool] | tuple[bytes, int, bool]) -> list[Unit]:
    """(payload, timestamp, marker, gap before it) each."""
    found: list[Unit] = []
    for payload, timestamp, marker, *gap in packets:
        found += into.put(Packet(96, marker, 0, timestamp, payload), bool(gap and gap[0]))
    return found


def h264() -> Pictures:
    return Pictures(H264(), {})


def test_units_of_one_time_are_one_picture() -> None:
    """Single units, aggregates and fragments, up to the marker."""
    stap = b"\x18" + b"".join(len(each).to_bytes(2, "big") + each for each in (b"\x67sps", b"\x68pps"))
    pieces = [
        (b"\x7c\x85" + b"i" * 10, 5, False),
        (b"\x7c\x05" + b"i" * 5, 5, False),
        (b"\x7c\x45" + b"i" * 5, 5, True),
    ]
    (unit,) = put(h264(), (stap, 5, False), *pieces)
    assert unit == Unit(START + b"\x67sps" + START + b"\x68pps" + START + IDR, 5, True)


def test_a_picture_without_a_marker_ends_with_the_next() -> None:
    """Some senders set none."""
    assert put(h264(), (IDR, 1, False), (SLICE, 2, False), (SLICE, 3, False)) == [
        Unit(START + IDR, 1, True),
        Unit(START + SLICE, 2, False),
    ]


def test_a_picture_with_a_hole_is_left_out() -> None:
    """And counted; the next one is whole again."""
    pictures = h264()
    assert put(pictures, (b"\x7c\x85ii", 1, False), (b"\x7c\x45ii", 1, True, True)) == []
    assert put(pictures, (b"\x7c\x45ii", 2, True, True)) == []
    assert pictures.damaged == 2
    assert len(put(pictures, (SLICE, 3, True))) == 1


@pytest.mark.parametrize(
    "payload", [b"", b"\x18\xff\xff", b"\x18\0\0", b"\x7c", b"\x7c\x85", b"\x1d" + b"x" * 9, b"\0"]
)
@pytest.mark.parametrize("form", [H264, H265])
def test_nonsense_makes_no_picture(payload: bytes, form: type) -> None:
    """And raises nothing."""
    pictures = Pictures(form(), {})
    assert all(unit.data for unit in put(pictures, (payload, 1, True)))
    assert len(put(pictures, (b"\x26\x01" + b"x" * 9, 2, True))) == 1


def test_h265_fragments_and_keys() -> None:
    """A picture of random access begins with its parameter sets."""
    pictures = Pictures(H265(), {"sprop-vps": "QAE=", "sprop-sps": "QgE=", "sprop-pps": "!"})
    assert pictures.extradata == START + b"\x40\x01" + START + b"\x42\x01"
    (unit,) = put(pictures, (b"\x62\x01\x93ab", 1, False), (b"\x62\x01\x53cd", 1, True))
    assert unit == Unit(START + b"\x26\x01abcd", 1, True)
    assert put(pictures, (b"\x02\x01x", 2, True))[0].key is False


def test_endless_pictures_are_bounded() -> None:
    """A camera that never ends one takes no more memory than the cap."""
    pictures, piece = h264(), b"\x7c\x05" + bytes(60_000)
    put(pictures, (b"\x7c\x85i", 1, False))
    for _ in range(MAX_UNIT_BYTES // 30_000):
        put(pictures, (piece, 1, False))
    assert len(pictures._piece or b"") + len(pictures._units) <= MAX_UNIT_BYTES
    assert put(pictures, (b"\x7c\x45i", 1, True)) == []


def test_parameter_sets_are_what_is_base64() -> None:
    """Padded or not; what is not, is left out."""
    assert Pictures(H264(), {"sprop-parameter-sets": "Z0I,aM4=,???"}).extradata == START + b"gB" + START + b"h\xce"


AAC = {"config": "1190", "sizelength": "13", "indexlength": "3", "indexdeltalength": "3"}


def frames(*sizes: int) -> bytes:
    return (16 * len(sizes)).to_bytes(2, "big") + b"".join((size << 3).to_bytes(2, "big") for size in sizes)


def test_aac_frames_are_parted_and_joined() -> None:
    """Several in a packet, each 1024 samples on; one in several packets."""
    assert put(Aac(AAC), (frames(2, 3) + b"abcde", 7, True)) == [Unit(b"ab", 7), Unit(b"cde", 7 + 1024)]
    assert put(Aac(AAC), (frames(5) + b"abc", 7, False), (frames(5) + b"de", 7, True)) == [Unit(b"abcde", 7)]
    part = Aac(AAC)
    assert put(part, (frames(5) + b"abc", 7, False), (frames(2) + b"xy", 9, True, True)) == [Unit(b"xy", 9)]
    assert part.damaged == 1


@pytest.mark.parametrize(
    "payload", [b"", b"\0", b"\0\0", b"\xff\xff", frames(0) + b"x", frames(1, 9) + b"abc", frames(3)]
)
def test_aac_nonsense_is_left_out(payload: bytes) -> None:
    """What lies about its sizes."""
    aac = Aac(AAC)
    put(aac, (payload, 1, True))
    assert aac.damaged == 1


@pytest.mark.parametrize(
    "changed", [{"config": ""}, {"config": "xx"}, {"sizelength": "0"}, {"sizelength": "x"}, {"indexlength": "4"}]
)
def test_aac_that_does_not_say_what_it_is_is_refused(changed: dict[str, str]) -> None:
    """Sound is done without then."""
    with pytest.raises(ValueError):  # noqa: PT011  one of Python's own, for numbers
        Aac({**AAC, **changed})


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(4),
        bytes(8),
        b"\0\0\0\0\1\xff\x10\x10\0\0\0\x80",
        b"\0\0\0\0\7\x32\x10\x10x",
        b"\0\0\0\x09\1\x32\x10\x10x",
    ],
)
def test_jpeg_nonsense_is_left_out(payload: bytes) -> None:
    """No size, no tables, an unknown type, a part without a beginning."""
    jpeg = Jpeg()
    assert put(jpeg, (payload, 1, True)) == []
    assert jpeg.damaged == 1


def test_a_jpeg_with_a_hole_is_left_out() -> None:
    """A part that is not where the one before ended."""
    first, second, elsewhere = (
        b"\0\0\0" + each for each in (b"\0\1\x32\x10\x10abc", b"\3\1\x32\x10\x10de", b"\4\1\x32\x10\x10de")
    )
    (whole,) = put(Jpeg(), (first, 1, False), (second, 1, True))
    assert whole.data.endswith(b"abcde\xff\xd9")
    assert put(Jpeg(), (first, 1, False), (elsewhere, 1, True)) == []
