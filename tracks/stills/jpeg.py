"""JPEG (ITU-T T.81): baseline, extended and progressive, 8 bit, grey or colour."""

from __future__ import annotations

import re
import struct

from ..errors import UnsupportedMedia
from . import exif
from .still import MAX_PARTS, Still, cut_off, damaged

FORMAT = "JPEG"
SIGNATURE = b"\xff\xd8\xff"
MAX_SCANS = 100
"""Encoders make a dozen. Each takes a decoder 0.3 ms for the largest picture, and 20 bytes of the file: without a bound
24 MB would be ten minutes' work."""

_SOF, _DHT, _SOI, _EOI, _SOS, _DQT, _DRI, _APP1, _APP14 = 0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE1, 0xEE
_TAKEN_FRAMES = range(0xC0, 0xC3)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC} | {0xF7}
"""Start of frame, of every process there is; 0xF7 is JPEG-LS."""
_KEPT = frozenset((*_TAKEN_FRAMES, _DHT, _DQT, _DRI, _APP14))
"""Adobe's segment (APP14) says whether the colours are YCbCr or RGB."""
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
"""Markers without a segment."""
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""The end of a scan's data: in it, 0xFF is followed by 0 or is a restart marker."""
_SEARCHED_BYTES = 1 << 18
"""At a time: a search holds Python's lock."""


def read(data: bytes) -> Still:
    """Take the file apart. Raises InvalidRequest when it is broken, UnsupportedMedia for rare kinds of JPEG."""
    kept = [data[:2]]
    size: tuple[int, int] | None = None
    turned, scans, at = 1, 0, 2
    for _ in range(MAX_PARTS):
        at = data.find(b"\xff", at)
        while at >= 0 and data[at + 1 : at + 2] == b"\xff":  # any number of them may precede a marker
            at += 1
        if not 0 <= at <= len(data) - 2:
            raise cut_off(FORMAT)
        marker = data[at + 1]
        if marker == _EOI:
            if size is None or not scans:
                raise damaged(FORMAT)
            return Still(FORMAT, *size, turned, b"".join((*kept, b"\xff\xd9")))
        if marker in _BARE:
            at += 2
            continue
        if marker in (0, _SOI):
            raise damaged(FORMAT)
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : end]
        if max(end, at + 4) > len(data):
            raise cut_off(FORMAT)
        if end < at + 4:
            raise damaged(FORMAT)
        if marker in _FRAMES:
            if size is not None:
                raise damaged(FORMAT)
            size = _frame(marker, body)
        elif marker == _SOS:
            scans += 1
            if size is None:
                raise damaged(FORMAT)
            if scans > MAX_SCANS:
                raise UnsupportedMedia(f"a {FORMAT} of more than {MAX_SCANS} scans is not taken")
            end = _end_of_scan(data, end)
            kept.append(data[at:end])
        elif marker == _APP1 and turned == 1 and body.startswith(b"Exif\0\0"):
            turned = exif.orientation(body)
        if marker in _KEPT:
            kept.append(data[at:end])
        at = end
    raise UnsupportedMedia(f"a {FORMAT} of more than {MAX_PARTS} segments is not taken")


def _frame(marker: int, body: bytes) -> tuple[int, int]:
    """(width, height) that a frame header tells."""
    if len(body) < 6:
        raise damaged(FORMAT)
    bits, height, width, components = struct.unpack_from(">BHHB", body)
    if marker not in _TAKEN_FRAMES:
        raise UnsupportedMedia(f"a {FORMAT} that is lossless, hierarchical or arithmetic-coded is not taken")
    if bits != 8:
        raise UnsupportedMedia(f"a {FORMAT} of {bits} bits is not taken, only of 8")
    if components not in (1, 3):
        raise UnsupportedMedia(
            f"a {FORMAT} of {components} colour components (CMYK has 4) is not taken, only of 1 and 3"
        )
    if not width or not height:
        raise damaged(FORMAT)
    return width, height


def _end_of_scan(data: bytes, start: int) -> int:
    for at in range(start, len(data), _SEARCHED_BYTES):
        if found := _NEXT_MARKER.search(data, at, at + _SEARCHED_BYTES + 1):
            return found.start()
    raise cut_off(FORMAT)
