"""The best crop of a track: what it shows, when it is replaced, and that it stays cheap."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from av import VideoFrame

from tracks.planes import planes
from tracks.thumbnails import LONGER_SIDE, LOOKS_A_FRAME, MAX_CROPS, SLIMMEST, BestCrops
from tracks.types import Detections

BOX = (300, 100, 360, 220)


def frame(
    box: tuple[int, int, int, int] = BOX, size: tuple[int, int] = (640, 360), blur: int = 0, format: str = "yuv420p"
) -> VideoFrame:
    """A red chequered rectangle on dark blue."""
    width, height = size
    image = np.full((height, width, 3), (10, 10, 60), np.uint8)
    x1, y1, x2, y2 = box
    rows, columns = np.indices((y2 - y1, x2 - x1)) // 8
    image[y1:y2, x1:x2] = np.where(((rows + columns) % 2)[..., None], (220, 30, 30), (120, 20, 20))
    if blur:
        image = cv2.blur(image, (blur, blur))
    return VideoFrame.from_ndarray(image, format="rgb24").reformat(format=format)


def tracked(*boxes: tuple[float, float, float, float], confidence: float = 0.8, first: int = 1) -> Detections:
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, confidence, np.float32),
        np.zeros(count, np.int32),
        np.arange(first, first + count, dtype=np.int32),
    )


def pixels(crops: BestCrops, number: int = 1) -> np.ndarray:
    crop = crops.best(number)
    assert crop is not None
    return crop.frame.to_ndarray(format="rgb24").astype(int)


@pytest.mark.parametrize("format", ["yuv420p", "yuvj420p"])
def test_a_crop_shows_the_object_with_a_little_around_it(format: str) -> None:
    """The middle is the object's, in its colours, the rim is what was around it, at the frame's own scale."""
    crops = BestCrops()
    crops.look(frame(format=format), tracked(BOX), 1.5)
    image = pixels(crops)
    height, width = image.shape[:2]
    assert 120 < height < 180
    assert SLIMMEST - 0.02 <= width / height < 1
    middle, corner = image[height // 4 : -height // 4, width // 3 : -width // 3], image[:6, :6]
    assert middle.mean(axis=(0, 1)) == pytest.approx([170, 25, 25], abs=12)
    assert corner.mean(axis=(0, 1)) == pytest.approx([10, 10, 60], abs=6)
    red = np.nonzero(image[..., 0] > 90)
    assert (red[1].max() - red[1].min() + 1, red[0].max() - red[0].min() + 1) == (
        pytest.approx(60, abs=2),
        pytest.approx(120, abs=2),
    )
    best = crops.best(1)
    assert best is not None
    assert best.media_s == 1.5


def test_a_crop_is_a_copy() -> None:
    """What happens to the frame later does not reach it."""
    crops, source = BestCrops(), frame()
    crops.look(source, tracked(BOX), 0.0)
    before = pixels(crops)
    planes(source).y[:] = 16
    assert np.array_equal(pixels(crops), before)


@pytest.mark.parametrize(
    "box", [(20, 10, 620, 350), (-50, -50, 700, 400), (0, 0, 40, 300), (600, 320, 660, 380), (100, 5, 108, 11)]
)
def test_any_box_makes_a_crop_of_good_size(box: tuple[int, int, int, int]) -> None:
    """Large ones are scaled down, small ones are shown with their surroundings, and none leaves the frame."""
    crops = BestCrops()
    crops.look(frame(), tracked(box), 0.0)
    best = crops.best(1)
    assert best is not None
    width, height = best.frame.width, best.frame.height
    assert 64 <= max(width, height) <= LONGER_SIDE
    assert min(width, height) >= 0.5 * max(width, height)
    assert width % 2 == height % 2 == 0


@pytest.mark.parametrize(
    "box", [(700, 400, 800, 500), (50, 50, 50, 90), (float("nan"), 0, 9, 9), (0, 0, float("inf"), 9)]
)
def test_a_box_with_nothing_in_it_makes_none(box: tuple[float, float, float, float]) -> None:
    """Outside of the frame, without an area, or not finite: there is no picture."""
    crops = BestCrops()
    crops.look(frame(), tracked(box), 0.0)
    assert crops.best(1) is None


def test_odd_and_tiny_frames_do_no_harm() -> None:
    """Sizes that chroma does not divide, and frames smaller than a crop."""
    for size in ((641, 361), (65, 33), (20, 20), (3, 3)):
        crops = BestCrops()
        image = np.full((size[1], size[0], 3), 90, np.uint8)
        source = VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        crops.look(source, tracked((1, 1, size[0] - 1, size[1] - 1)), 0.0)
        best = crops.best(1)
        if min(size) >= 4:
            assert best is not None
            assert best.frame.width <= size[0]
            assert best.frame.height <= size[1]


def test_clearly_better_replaces_and_a_little_better_does_not() -> None:
    """Surer, larger, sharper, or all of it inside the frame: each counts; a little of it is not worth a copy."""
    large = (260, 60, 400, 300)
    better = [
        ((frame(), tracked(BOX, confidence=0.5)), (frame(), tracked(BOX, confidence=0.9))),
        ((frame(), tracked(BOX)), (frame(large), tracked(large))),
        ((frame(blur=15), tracked(BOX)), (frame(), tracked(BOX))),
        ((frame((0, 100, 60, 220)), tracked((0, 100, 60, 220))), (frame(), tracked(BOX))),
    ]
    for first, second in better:
        crops = BestCrops()
        crops.look(*first, 0.0)
        crops.look(*second, 1.0)
        best = crops.best(1)
        assert best is not None
        assert best.media_s == 1.0
        crops.look(*first, 2.0)
        assert crops.best(1) is best
    crops = BestCrops()
    crops.look(frame(), tracked(BOX, confidence=0.8), 0.0)
    crops.look(frame(), tracked(BOX, confidence=0.9), 1.0)
    best = crops.best(1)
    assert best is not None
    assert best.media_s == 0.0


def test_a_growing_object_is_copied_a_few_times_only() -> None:
    """What comes nearer for ten seconds costs a dozen copies, not three hundred."""
    crops = BestCrops()
    seen = set()
    for n in range(300):
        box = (320 - 20 - n * 0.9, 180 - 10 - n * 0.5, 320 + 20 + n * 0.9, 180 + 10 + n * 0.5)
        crops.look(frame(), tracked(box), n / 30)
        best = crops.best(1)
        assert best is not None
        seen.add(best.media_s)
    assert 3 <= len(seen) <= 12


def test_a_crowd_costs_no_more_than_a_few_crops_a_frame() -> None:
    """Each frame brings a few objects their crop, until all have one; beyond the bound the others have none."""
    crops = BestCrops()
    boxes = [(10.0 * n, 10.0, 10.0 * n + 20, 60.0) for n in range(MAX_CROPS + 5)]
    crops.look(frame(size=(1280, 360)), tracked(*boxes), 0.0)
    assert len(crops) == LOOKS_A_FRAME
    for n in range(40):
        crops.look(frame(size=(1280, 360)), tracked(*boxes), n / 30)
    assert len(crops) == MAX_CROPS


def test_tracks_that_are_gone_are_forgotten() -> None:
    """Only those that are named stay."""
    crops = BestCrops()
    crops.look(frame(), tracked(BOX, (20, 20, 90, 90), (400, 200, 500, 300)), 0.0)
    crops.keep_only({2})
    assert [number for number in (1, 2, 3) if crops.best(number)] == [2]


def test_boxes_without_tracks_are_an_error() -> None:
    """The best crop of what cannot be told apart would be nobody's."""
    with pytest.raises(ValueError, match="without track ids"):
        BestCrops().look(frame(), replace(tracked(BOX), track_id=None), 0.0)
