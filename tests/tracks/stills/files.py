"""Picture files: ordinary ones made by Pillow, and ones that no encoder makes, put together by hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

COLOURS = [(0, 0, 0), (255, 255, 255), (230, 40, 40), (40, 200, 60), (60, 60, 220), (128, 128, 128)]
ORIENTATION = 274
"""EXIF's tag."""


def bars(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """One vertical bar of each colour."""
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    for n, colour in enumerate(COLOURS):
        pixels[:, n * width // len(COLOURS) : (n + 1) * width // len(COLOURS)] = colour
    return Image.fromarray(pixels)


def noise(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """What does not compress."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8))


def cornered(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """Dark, with a bright top left corner."""
    width, height = size
    pixels = np.full((height, width, 3), 20, np.uint8)
    pixels[: height // 2, : width // 2] = 230
    return Image.fromarray(pixels)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def turned(image: Image.Image, format: str, orientation: int, **options: Any) -> bytes:
    """The picture as a file whose EXIF gives an orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(image, format, exif=exif, **options)


def segment(marker: int, body: bytes) -> bytes:
    """Of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def chunk(name: bytes, body: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, body) of every chunk of a PNG."""
    at = 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    """A PNG whose header and data are whatever is said: `rows` each begin with the byte of their filter."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return png_of([(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


def png_of(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in parts)


def riff(*parts: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks."""
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def riff_chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, body) of every chunk of a WebP."""
    at = 12
    while at < len(webp):
        length = int.from_bytes(webp[at + 4 : at + 8], "little")
        yield webp[at : at + 4], webp[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """The chunk that says how large a WebP is."""
    return b"VP8X", bytes((flags, 0, 0, 0)) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def grey_progressive(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG of one grey tone whose scans, but for the first, take 20 bytes each and say nothing."""
    blocks = -(-width // 8) * -(-height // 8)
    head = (
        b"\xff\xd8"
        + segment(0xDB, b"\0" + bytes([1] * 64))
        + segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0")
        + segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")
        + segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")
    )
    runs = ("0" + "0" * 14) * -(-blocks // (1 << 14))  # each says that the next 16,384 blocks have nothing to add
    runs += "1" * (-len(runs) % 8)
    nothing = bytes(int(runs[at : at + 8], 2) for at in range(0, len(runs), 8))
    first = segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + bytes(blocks // 8 + 1)
    return head + first + (segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + nothing) * (scans - 1) + b"\xff\xd9"
