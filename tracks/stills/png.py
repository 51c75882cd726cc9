"""PNG (W3C, third edition), not animated."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ..errors import UnsupportedMedia
from . import exif
from .still import MAX_PARTS, Still, cut_off, damaged

FORMAT = "PNG"
SIGNATURE = b"\x89PNG\r\n\x1a\n"

_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a colour type: grey, RGB, palette, grey and alpha, RGB and alpha."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bits a channel, of a colour type."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""(first column, first row, columns apart, rows apart) of each pass of an interlaced picture."""
_FILTERS = 5
_HEADER_AT = len(SIGNATURE) + 8


def read(data: bytes) -> Still:
    """Take the file apart. Raises InvalidRequest when it is broken, UnsupportedMedia when it is animated or odd."""
    kept = [SIGNATURE]
    size: tuple[int, int] | None = None
    turned, at = 1, len(SIGNATURE)
    for _ in range(MAX_PARTS):
        length = int.from_bytes(data[at : at + 4], "big")
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise cut_off(FORMAT)
        if (name == b"IHDR") != (size is None):  # the first one, and no other
            raise damaged(FORMAT)
        if name == b"IHDR":
            size = _header(data[at + 8 : end - 4])
        elif name == b"acTL":
            raise UnsupportedMedia(f"an animated {FORMAT} is not taken, only a single picture")
        elif name == b"eXIf":
            turned = exif.orientation(data[at + 8 : end - 4])
        elif name not in _KEPT and not name[:1].islower():  # lower case: it can be done without
            raise damaged(FORMAT)
        if name in _KEPT:
            kept.append(data[at:end])
        at = end
        if name == b"IEND":
            assert size is not None
            return Still(FORMAT, *size, turned, b"".join(kept))
    raise UnsupportedMedia(f"a {FORMAT} of more than {MAX_PARTS} chunks is not taken")


def is_sound(still: Still) -> bool:
    """True when there are as many rows in it as its header says, and each with a filter that exists.

    FFmpeg's decoder takes others, and leaves the rows in question black. Blocking: half as long as decoding it, and 66
    MB for the largest.
    """
    passes = list(_passes(still))
    at, packed = len(SIGNATURE), []
    while at < len(still.picture):
        end = at + 12 + int.from_bytes(still.picture[at : at + 4], "big")
        if still.picture[at + 4 : at + 8] == b"IDAT":
            packed.append(still.picture[at + 8 : end - 4])
        at = end
    try:
        filtered = zlib.decompressobj().decompress(b"".join(packed), sum(rows * width for rows, width in passes))
    except zlib.error:
        return False
    at = 0
    for rows, width in passes:
        filters = filtered[at : at + rows * width : width]
        at += rows * width
        if max(filters, default=0) >= _FILTERS:
            return False
    return len(filtered) == at


def _header(body: bytes) -> tuple[int, int]:
    """(width, height) that the header tells."""
    if len(body) != 13:
        raise damaged(FORMAT)
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise damaged(FORMAT)
    if not 0 < width < 1 << 31 or not 0 < height < 1 << 31:
        raise damaged(FORMAT)
    return width, height


def _passes(still: Still) -> Iterator[tuple[int, int]]:
    """(rows, bytes of a row with the one for its filter) of each pass."""
    depth, colour, _, _, interlace = still.picture[_HEADER_AT + 8 : _HEADER_AT + 13]
    for column, row, across, down in _ADAM7 if interlace else ((0, 0, 1, 1),):
        columns, rows = -(-(still.width - column) // across), -(-(still.height - row) // down)
        if columns > 0 and rows > 0:
            yield rows, 1 + (columns * depth * _CHANNELS[colour] + 7) // 8
