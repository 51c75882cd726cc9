"""WebP (RFC 9649): lossy, with or without alpha, and lossless; not animated."""

from __future__ import annotations

import struct

from ..errors import UnsupportedMedia
from . import exif
from .still import MAX_PARTS, Still, cut_off, damaged

FORMAT = "WebP"
SIGNATURE, KIND = b"RIFF", b"WEBP"
"""At the start, and behind the length that follows."""

_ANIMATION, _ALPHA = 0x02, 0x10
_START_CODE = b"\x9d\x01\x2a"


def read(data: bytes) -> Still:
    """Take the file apart. Raises InvalidRequest when it is broken, UnsupportedMedia when it is animated."""
    stop = 8 + int.from_bytes(data[4:8], "little")
    if stop > len(data):
        raise cut_off(FORMAT)
    canvas: tuple[int, int] | None = None
    alpha: bytes | None = None
    picture: tuple[bytes, bytes] | None = None
    turned, at = 1, 12
    for _ in range(MAX_PARTS):
        if at >= stop:
            break
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body, end = data[at + 8 : at + 8 + length], at + 8 + length
        if end > stop:
            raise cut_off(FORMAT)
        if name == b"VP8X" and len(body) >= 10:
            if body[0] & _ANIMATION:
                raise UnsupportedMedia(f"an animated {FORMAT} is not taken, only a single picture")
            canvas = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        elif name == b"ALPH":
            alpha = alpha or body
        elif name in (b"VP8 ", b"VP8L"):
            picture = picture or (name, body)
        elif name == b"EXIF":
            turned = exif.orientation(body)
        at = end + length % 2
    else:
        raise UnsupportedMedia(f"a {FORMAT} of more than {MAX_PARTS} chunks is not taken")
    size = None if picture is None else _lossy(picture[1]) if picture[0] == b"VP8 " else _lossless(picture[1])
    if picture is None or size is None or canvas not in (None, size):
        raise damaged(FORMAT)
    chunks = [_chunk(*picture)]
    if alpha is not None and picture[0] == b"VP8 ":
        sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
        chunks = [_chunk(b"VP8X", bytes((_ALPHA, 0, 0, 0)) + sides), _chunk(b"ALPH", alpha), *chunks]
    return Still(FORMAT, *size, turned, _chunk(SIGNATURE, KIND + b"".join(chunks)))


def _lossy(body: bytes) -> tuple[int, int] | None:
    """(width, height) of a VP8 key frame (RFC 6386, section 9.1); None when it is none."""
    if len(body) < 10 or body[0] & 1 or body[3:6] != _START_CODE:
        return None
    width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    return (width, height) if width and height else None


def _lossless(body: bytes) -> tuple[int, int] | None:
    """(width, height) of a VP8L picture (RFC 9649, section 3.4); None when it is none."""
    if len(body) < 5 or body[0] != 0x2F:
        return None
    (bits,) = struct.unpack_from("<I", body, 1)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
