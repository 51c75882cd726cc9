"""Letterboxing: the picture that a model sees, and the way of its boxes back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import ColorRange

from tracks.frames import PADDING, Letterbox, letterbox
from tracks.planes import planes

SIZES = [(1280, 720), (640, 480), (720, 1280), (321, 243), (16, 16), (1919, 1079), (50, 1000)]


def picture(width: int, height: int) -> np.ndarray:
    """A smooth coloured gradient with a bright block: easy to compare across ways of scaling."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    rgb = np.stack((40 + 160 * x, 60 + 120 * y, 200 - 120 * x), axis=2)
    rgb[height // 4 : height // 2, width // 3 : width // 2] = (235, 220, 60)
    return rgb.astype(np.uint8)


def reference(rgb: np.ndarray, fit: Letterbox, size: tuple[int, int]) -> np.ndarray:
    """The plain way: scale the RGB picture and paste it on grey."""
    height, width = fit.inner
    image = np.full((*size, 3), PADDING, np.uint8)
    image[fit.top : fit.top + height, fit.left : fit.left + width] = cv2.resize(rgb, (width, height))
    return image


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("size", [(384, 640), (640, 640), (256, 416)])
def test_equals_a_plain_rgb_letterbox(width: int, height: int, size: tuple[int, int]) -> None:
    """The planes' way gives the picture that scaling RGB gives, and the same grey around it."""
    rgb = picture(width, height)
    frame = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    image, fit = letterbox(frame, size)
    assert image.shape == (*size, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    difference = np.abs(image.astype(int) - reference(rgb, fit, size).astype(int))
    # Chroma has half the pixels, so a source of 16 pixels differs more at its edges.
    assert difference.mean() < (2.0 if min(width, height) > 100 else 8.0)
    inner_height, inner_width = fit.inner
    outside = np.ones(size, bool)
    outside[fit.top : fit.top + inner_height, fit.left : fit.left + inner_width] = False
    assert (image[outside] == PADDING).all()


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (640, 480), (720, 1280), (321, 243), (16, 16)])
def test_boxes_come_back_within_a_pixel(width: int, height: int) -> None:
    """A bright block found in the input lies where it lay in the source."""
    rgb = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = width // 4, height // 4, width // 2, height * 3 // 4
    rgb[y1:y2, x1:x2] = 255
    image, fit = letterbox(VideoFrame.from_ndarray(rgb, format="rgb24"), (640, 640))
    inner_height, inner_width = fit.inner
    inside = image[fit.top : fit.top + inner_height, fit.left : fit.left + inner_width]
    rows, columns = np.nonzero(inside.min(axis=2) > 160)
    found = np.array(
        [[columns.min() + fit.left, rows.min() + fit.top, columns.max() + 1 + fit.left, rows.max() + 1 + fit.top]],
        np.float32,
    )
    assert np.abs(fit.to_source(found)[0] - (x1, y1, x2, y2)).max() <= max(1.0, 1.0 / fit.scale_x)


def test_boxes_are_clipped_to_the_source() -> None:
    """A box that reaches into the padding ends at the source's edge."""
    fit = Letterbox.fit((720, 1280), (640, 640))
    boxes = fit.to_source(np.array([[-50, -50, 900, 900], [0, 140, 640, 500]], np.float32))
    assert boxes.dtype == np.float32
    assert boxes.tolist() == [[0, 0, 1280, 720], [0, 0, 1280, 720]]
    assert fit.to_source(np.zeros((0, 4), np.float32)).shape == (0, 4)


def test_padding_at_the_end_of_lines_is_left_out() -> None:
    """A width that is no multiple of the alignment leaves no stripe at the right edge."""
    frame = VideoFrame(322, 240, "yuv420p")
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        assert plane.line_size > plane.width
        rows[:] = 255
        rows[:, : plane.width] = 128
    image, fit = letterbox(frame, (480, 644))
    assert fit.inner == (480, 644)
    assert np.ptp(image) <= 2


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr24", "nv12", "yuv422p", "gray", "yuvj420p"])
def test_takes_other_formats(pixel_format: str) -> None:
    """Frames that are not yuv420p are converted first."""
    frame = VideoFrame.from_ndarray(picture(320, 240), format="rgb24").reformat(format=pixel_format)
    image, fit = letterbox(frame, (256, 320))
    assert image.shape == (256, 320, 3)
    assert fit.inner == (240, 320)


def test_refuses_a_picture_without_chroma() -> None:
    """A picture one pixel wide cannot be scaled and says so."""
    with pytest.raises(ValueError, match="1x40"):
        Letterbox.fit((40, 1), (640, 640))


@pytest.mark.parametrize("size", [(640, 640), (256, 416)])
def test_full_range_is_seen_as_limited_range_is(size: tuple[int, int]) -> None:
    """A JPEG's planes as they are give the picture that comes of their conversion before, from black to white."""
    rgb = picture(1280, 720)
    rgb[:90] = np.linspace(0, 255, 1280, dtype=np.uint8)[:, None]
    full = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuvj420p", dst_color_range=ColorRange.JPEG)
    image, fit = letterbox(full, size)
    before = planes(full).y.copy()
    difference = np.abs(image.astype(int) - reference(rgb, fit, size).astype(int))
    assert difference.mean() < 2.0
    ramp = image[fit.top + 8].astype(int)
    assert ramp[fit.left + 1].max() <= 3
    assert ramp[fit.left + fit.inner[1] - 2].min() >= 252
    np.testing.assert_array_equal(planes(full).y, before)
