"""A frame's number, written into its picture as black and white blocks along the bottom edge, and read back.

16 bits of Gray code (neighbours differ in one block, so a low bitrate has little to redraw) and 8 bits of CRC. Blocks
are 48x32 luma samples; only the middle of each is read, so that a box drawn across the strip does not change a bit.
"""

from __future__ import annotations

import zlib

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from tracks.planes import planes

ROWS = 32
"""Height of the strip in luma rows; the content ends above it."""
NUMBERS = 1 << 16
"""Numbers are read back modulo this: 36 minutes at 30 frames per second."""

_BLOCK = 48
_BITS = 24
_DARK, _LIGHT = 24, 224
_THRESHOLD = (_DARK + _LIGHT) / 2
_WEIGHTS: NDArray[np.int64] = 1 << np.arange(_BITS - 1, -1, -1, dtype=np.int64)


def write(frame: VideoFrame, number: int) -> None:
    """Draw the number over the bottom rows of a yuv420p frame that is at least 1152 pixels wide, in place.

    Raises ValueError for a narrower frame.
    """
    y, u, v = planes(frame)
    left = _left(y)
    number %= NUMBERS
    code = (number ^ (number >> 1)) << 8 | _checksum(number)
    bits = (code & _WEIGHTS) > 0
    y[-ROWS:] = _DARK
    y[-ROWS:, left : left + _BITS * _BLOCK] = np.repeat(np.where(bits, _LIGHT, _DARK), _BLOCK).astype(np.uint8)
    for chroma in (u, v):
        chroma[-ROWS // 2 :] = 128


def read(frame: VideoFrame) -> int | None:
    """The number in the strip of a yuv420p frame, or None where the checksum does not fit."""
    y = planes(frame).y
    left = _left(y)
    blocks = y[-ROWS * 3 // 4 : -ROWS // 4, left : left + _BITS * _BLOCK].reshape(ROWS // 2, _BITS, _BLOCK)
    means = blocks[:, :, _BLOCK // 4 : -_BLOCK // 4].mean(axis=(0, 2))
    code = int(_WEIGHTS[means > _THRESHOLD].sum())
    number = _from_gray(code >> 8)
    return number if _checksum(number) == code & 0xFF else None


def _left(y: NDArray[np.uint8]) -> int:
    width = int(y.shape[1])
    if width < _BITS * _BLOCK:
        raise ValueError(f"the strip needs {_BITS * _BLOCK} pixels, the frame is {width} wide")
    return (width - _BITS * _BLOCK) // 32 * 16


def _checksum(number: int) -> int:
    return zlib.crc32(number.to_bytes(2, "big")) & 0xFF


def _from_gray(code: int) -> int:
    for shift in (8, 4, 2, 1):
        code ^= code >> shift
    return code
