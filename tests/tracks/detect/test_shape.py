"""Input shapes."""

from __future__ import annotations

import pytest

from tracks.detect.shape import InputShape


@pytest.mark.parametrize(
    ("source", "limit", "expected"),
    [
        ((1280, 720), 640, (384, 640)),
        ((1920, 1080), 416, (256, 416)),
        ((640, 480), 640, (480, 640)),
        ((720, 1280), 640, (640, 384)),
        ((16, 16), 320, (320, 320)),
        ((4000, 3), 640, (32, 640)),
        ((1280, 640), 640, (320, 640)),
    ],
)
def test_rectangles_are_the_smallest_that_hold_the_source(
    source: tuple[int, int], limit: int, expected: tuple[int, int]
) -> None:
    """The longer side is the limit, the other one the next multiple of the stride."""
    assert InputShape(limit).of(*source) == expected


def test_a_limit_between_strides_is_rounded_up() -> None:
    """A model can only take multiples of its stride."""
    assert InputShape(300).of(1280, 720) == (192, 320)


def test_a_fixed_shape_is_kept_for_every_source() -> None:
    """A model with a static shape is given that shape."""
    assert InputShape(320, 32, (640, 640)).of(1280, 720) == (640, 640)
