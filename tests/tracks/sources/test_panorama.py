"""Views of a wide picture that repeats itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tracks.planes import planes
from tracks.sources.camera import View
from tracks.sources.panorama import Panorama
from tracks.types import Image

SIZE = (320, 180)


def waves() -> Image:
    """A smooth picture, 800x400, whose ends meet."""
    x = np.sin(np.arange(800) * 2 * np.pi / 200)
    y = np.sin(np.arange(400) * 2 * np.pi / 100)
    grey = 128 + 40 * x[None, :] + 40 * y[:, None]
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def test_a_view_is_what_an_exact_resampling_gives() -> None:
    """Middle, scale and sub-pixel position are right to a grey level."""
    panorama = Panorama(waves(), SIZE, 0.5)
    view = View(333.4, 187.7, 1.37)
    columns = view.x + (np.arange(320) + 0.5 - 160) / view.scale - 0.5
    rows = view.y + (np.arange(180) + 0.5 - 90) / view.scale - 0.5
    grey = 128 + 40 * np.sin(columns * 2 * np.pi / 200)[None, :] + 40 * np.sin(rows * 2 * np.pi / 100)[:, None]
    expected = 16 + grey * 219 / 255
    seen = planes(panorama.render(view)).y
    assert seen.shape == (180, 320)
    assert np.abs(seen - expected).max() < 2.0


def test_colours_lie_where_the_brightness_lies() -> None:
    """An edge in colour is at the same place as the edge in brightness."""
    picture = np.zeros((400, 800, 3), np.uint8)
    picture[:, 200:600] = (200, 40, 40)
    y, _, v = planes(Panorama(picture, SIZE, 0.5).render(View(201.0, 200.0, 2.0)))
    luma = np.interp(0.5, (y[90] - y[90].min()) / np.ptp(y[90]), np.arange(320) + 0.5)
    chroma = np.interp(0.5, (v[45] - v[45].min()) / np.ptp(v[45]), 2 * (np.arange(160) + 0.5))
    assert luma == pytest.approx(158.0, abs=0.2)
    assert chroma == pytest.approx(luma, abs=0.4)


def test_the_picture_repeats_itself_without_a_seam() -> None:
    """Views one period apart are equal, and one across the ends is as smooth as any."""
    panorama = Panorama(waves(), SIZE, 0.5)
    here, there = (planes(panorama.render(View(x, 200, 1.0))).y for x in (790.25, 790.25 + 800))
    assert np.array_equal(here, there)
    assert np.abs(np.diff(here.astype(int), axis=1)).max() <= 3


def test_slow_motion_is_seen_in_every_frame() -> None:
    """A tenth of a pixel moves the picture by a tenth of a pixel."""
    ramp = np.repeat(np.arange(800, dtype=np.float32)[None, :] % 200, 400, axis=0)
    panorama = Panorama(np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8), SIZE, 0.5)
    means = [planes(panorama.render(View(300 + n / 10, 200, 2.5))).y[:, :200].mean() for n in range(20)]
    steps = np.diff(means)
    assert steps.min() > 0.04
    assert steps.max() < 0.14


def test_a_picture_with_odd_sides_is_refused() -> None:
    """A chroma sample covers two pixels."""
    with pytest.raises(ValueError, match="even sides, got 801x400"):
        Panorama(cv2.copyMakeBorder(waves(), 0, 0, 0, 1, cv2.BORDER_REPLICATE), SIZE, 1.0)
