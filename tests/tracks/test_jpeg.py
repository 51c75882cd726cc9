"""Frames as JPEG: the right size, the right colours, nothing else in the file."""

from __future__ import annotations

import io

import numpy as np
import pytest
from av import VideoFrame
from PIL import Image

from tracks.jpeg import encode_jpeg

COLOURS = [(0, 0, 0), (255, 255, 255), (230, 40, 40), (40, 200, 60), (60, 60, 220), (128, 128, 128)]


def bars(size: tuple[int, int]) -> np.ndarray:
    """One vertical bar of each colour."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    for n, colour in enumerate(COLOURS):
        image[:, n * width // len(COLOURS) : (n + 1) * width // len(COLOURS)] = colour
    return image


@pytest.mark.parametrize("format", ["yuv420p", "yuvj420p"])
@pytest.mark.parametrize("size", [(240, 160), (243, 161)])
def test_colours_survive_whatever_range_the_frame_has(format: str, size: tuple[int, int]) -> None:
    """Black is black and white is white, from limited range as from full, also at odd sizes."""
    source = bars(size)
    frame = VideoFrame.from_ndarray(source, format="rgb24").reformat(format=format)
    with Image.open(io.BytesIO(encode_jpeg(frame))) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", size)
        assert not image.getexif()
        decoded = np.asarray(image).astype(int)
    for n, colour in enumerate(COLOURS):
        middle = (2 * n + 1) * size[0] // (2 * len(COLOURS))
        assert decoded[40, middle] == pytest.approx(colour, abs=6)


def test_a_lower_quality_is_a_smaller_file() -> None:
    """The quality is passed on."""
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    frame = VideoFrame.from_ndarray(noise, format="rgb24").reformat(format="yuv420p")
    assert len(encode_jpeg(frame, 30)) < 0.6 * len(encode_jpeg(frame, 90))
