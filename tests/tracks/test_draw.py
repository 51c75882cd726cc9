"""Boxes and plates on YUV planes."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from av import VideoFrame

from tracks.draw import COLOURS, PALETTE, annotate
from tracks.glyphs import line_height, text_mask
from tracks.planes import planes
from tracks.types import Detections

LABELS = ("person", "bicycle", "car")
GREY = 90


def picture(width: int = 640, height: int = 360, luma: int = GREY) -> VideoFrame:
    """A grey yuv420p frame with timing."""
    frame = VideoFrame(width, height, "yuv420p")
    for plane, value in zip(planes(frame), (luma, 128, 128), strict=True):
        plane[:] = value
    frame.pts, frame.time_base = 4711, Fraction(1, 90_000)
    return frame


def boxes(*xyxy: tuple[float, float, float, float], class_id: int = 0, confidence: float = 0.87) -> Detections:
    """Tracked detections 1, 2, 3 …"""
    n = len(xyxy)
    return Detections(
        np.array(xyxy, np.float32).reshape(n, 4),
        np.full(n, confidence, np.float32),
        np.full(n, class_id, np.int32),
        np.arange(1, n + 1, dtype=np.int32),
    )


def touched(frame: VideoFrame, luma: int = GREY) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what differs from a plain picture, in luma pixels."""
    y, u, v = planes(frame)
    chroma = ((u != 128) | (v != 128)).repeat(2, 0).repeat(2, 1)[: y.shape[0], : y.shape[1]]
    rows, columns = np.nonzero((y != luma) | chroma)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def samples(frame: VideoFrame) -> list[np.ndarray]:
    return [plane.copy() for plane in planes(frame)]


def test_the_source_frame_is_left_alone_and_the_copy_has_its_timing() -> None:
    """A decoder may still predict from the source."""
    frame = picture()
    before = samples(frame)
    drawn = annotate(frame, boxes((100, 100, 200, 300)), LABELS)
    assert drawn is not frame
    assert (drawn.pts, drawn.time_base) == (4711, Fraction(1, 90_000))
    assert (drawn.width, drawn.height, drawn.format.name) == (640, 360, "yuv420p")
    for plane, old in zip(planes(frame), before, strict=True):
        np.testing.assert_array_equal(plane, old)


@pytest.mark.parametrize(
    "nothing",
    [
        Detections.empty(),
        boxes((700, 10, 800, 100)),
        boxes((-90, 10, -20, 100)),
        boxes((50, 50, 50, 90)),
        boxes((90, 50, 50, 90)),
        boxes((float("nan"), 50, 80, 90)),
        boxes((0, 0, float("inf"), 90)),
        boxes((1e30, 1e30, 2e30, 2e30)),
    ],
    ids=["none", "right of it", "left of it", "empty", "inverted", "nan", "infinite", "huge"],
)
def test_with_nothing_to_draw_the_frame_itself_comes_back(nothing: Detections) -> None:
    """No copy for nothing, and no error for what is no box."""
    frame = picture()
    assert annotate(frame, nothing, LABELS) is frame


def test_the_outline_is_where_the_box_is_and_inside_stays_as_it_was() -> None:
    """Edges to the even pixel, plate above, nothing beside; the picture inside the outline is the source's."""
    drawn = annotate(picture(), boxes((100, 100, 300, 300)), LABELS)
    left, top, right, bottom = touched(drawn)
    assert (left, right, bottom) == (100, 300, 300)
    assert top == 100 - line_height(12)
    y, u, v = planes(drawn)
    colour = COLOURS[0]
    for row, column in ((100, 299), (299, 100), (200, 100), (200, 299), (299, 200)):
        assert (y[row, column], u[row // 2, column // 2], v[row // 2, column // 2]) == colour
    assert (y[104:296, 104:296] == GREY).all()
    assert (u[52:148, 52:148] == 128).all()


def test_every_class_has_a_colour_of_its_own_that_stays() -> None:
    """Twenty colours, far enough apart to tell, and the same in every frame."""
    seen = []
    for class_id in range(len(PALETTE)):
        for _ in range(2):
            y, u, v = planes(annotate(picture(), boxes((100, 100, 300, 300), class_id=class_id), LABELS))
            seen.append((int(y[299, 200]), int(u[149, 100]), int(v[149, 100])))
    assert seen[::2] == seen[1::2]
    distances = [np.abs(np.subtract(a, b)).max() for i, a in enumerate(COLOURS) for b in COLOURS[:i]]
    assert min(distances) >= 8


@pytest.mark.parametrize("luma", [16, 60, 235])
def test_the_outline_stands_out_of_dark_and_bright_pictures(luma: int) -> None:
    """On white, the hairline inside the outline gives the contrast that a light colour cannot."""
    for class_id in range(len(PALETTE)):
        y = planes(annotate(picture(luma=luma), boxes((100, 100, 300, 300), class_id=class_id), LABELS)).y
        assert np.abs(y[200, 96:108].astype(int) - luma).max() > 45


@pytest.mark.parametrize("size", [(320, 240), (640, 360), (1280, 720), (1920, 1080), (360, 640), (1080, 1920)])
def test_lines_and_text_grow_with_the_frame(size: tuple[int, int]) -> None:
    """Text is a twentieth of a small picture and never under 12 px; lines keep their share."""
    width, height = size
    short = min(size)
    y = planes(annotate(picture(*size), boxes((20, height / 2, width - 20, height - 20)), LABELS)).y
    outline = (y[height * 3 // 4, 20:40] == COLOURS[0].y).sum()
    assert outline == max(2, round(short / 270))
    plate = y[: height // 2] != GREY
    assert plate.any(axis=1).sum() == line_height(max(12, round(short / 40)))
    assert plate.any(axis=0).sum() < width / 2


def test_the_plate_says_who_and_how_sure() -> None:
    """Label, track number and confidence each change what is written; without a number there is none."""
    here = (100.0, 100.0, 300.0, 300.0)
    plates = []
    for label, number, confidence in (("person", 1, 0.87), ("dog", 1, 0.87), ("person", 2, 0.87), ("person", 1, 0.42)):
        given = Detections(
            *(getattr(boxes(here, confidence=confidence), n) for n in ("xyxy", "confidence", "class_id"))
        )
        tracked = Detections(given.xyxy, given.confidence, given.class_id, np.array([number], np.int32))
        plates.append(planes(annotate(picture(), tracked, (label,))).y[80:100].tobytes())
    plates.append(planes(annotate(picture(), given, ("person",))).y[80:100].tobytes())
    assert len(set(plates)) == 5


@pytest.mark.parametrize(
    "box",
    [(-50, -50, 60, 60), (600, 320, 700, 400), (0, 0, 640, 360), (-10, -10, 650, 370), (630, 0, 640, 8), (3, 3, 4, 4)],
)
def test_plates_stay_inside_the_frame(box: tuple[float, float, float, float]) -> None:
    """A box at the edge keeps a plate that can be read whole."""
    drawn = annotate(picture(), boxes(box), LABELS)
    whole = annotate(picture(), boxes((200, 200, 400, 300)), LABELS)
    words = planes(whole).y[200 - line_height(12) : 200, 200:300]
    y = planes(drawn).y
    rows = words.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(y, (rows, 40))[::2, ::2]
    assert (windows == words[:, :40]).all(axis=(2, 3)).any()


def test_plates_of_neighbours_do_not_cover_each_other() -> None:
    """Two boxes that begin at the same place: the second plate moves to another corner."""
    frame = picture()
    alone = planes(annotate(frame, boxes((100, 100, 300, 300)), LABELS)).y[80:100]
    both = planes(annotate(frame, boxes((100, 100, 300, 300), (102, 100, 290, 290)), LABELS)).y[80:100]
    np.testing.assert_array_equal(alone[:, :150], both[:, :150])


@pytest.mark.parametrize("size", [(641, 361), (99, 33), (17, 5), (2, 2), (1, 1), (3, 200)])
def test_odd_and_tiny_frames_are_drawn_on(size: tuple[int, int]) -> None:
    """Chroma planes round up; plates that do not fit are cut."""
    drawn = annotate(picture(*size), boxes((0, 0, size[0], size[1]), (0.5, 0.5, 1, 1)), LABELS)
    assert touched(drawn) == (0, 0, *size)


@pytest.mark.parametrize("label", ["", "Straßenbahn", "автомобиль", "自転車", "👍", "a\nb\tc\x00", "x" * 500, "سيارة"])
def test_any_label_can_be_drawn(label: str) -> None:
    """Labels come from models: nothing in them stops a frame, and long ones are cut."""
    left, _, right, _ = touched(annotate(picture(), boxes((100, 100, 140, 300)), (label,)))
    assert left == 100
    assert right <= 420


def test_rows_without_label_or_sense_are_drawn_all_the_same() -> None:
    """A class beyond the labels and a confidence that is no number are shown as such."""
    drawn = annotate(picture(), boxes((100, 100, 140, 300), class_id=79, confidence=float("nan")), LABELS)
    assert touched(drawn)[3] == 300


def test_other_pixel_formats_are_refused() -> None:
    """Drawing never converts."""
    with pytest.raises(ValueError, match="rgb24"):
        annotate(VideoFrame(64, 64, "rgb24"), boxes((0, 0, 10, 10)), LABELS)


def test_text_is_rendered_once_for_a_size() -> None:
    """Masks are shared, cannot be written to, and have the line's height and ink in it."""
    mask = text_mask("person 3", 18)
    assert text_mask("person 3", 18) is mask
    assert mask.shape[0] == line_height(18)
    assert mask.max() > 200
    assert not mask[0].any()
    assert not mask[-1].any()
    with pytest.raises(ValueError, match="read-only"):
        mask[0, 0] = 1


def test_drawing_leaves_most_of_a_frame_interval_to_others() -> None:
    """Eight boxes on 720p: measured 0.4 ms; the bound is wide, as the machine may be busy."""
    frame = picture(1280, 720)
    many = boxes(
        *((40 + 300 * (i % 4), 60 + 330 * (i // 4), 240 + 300 * (i % 4), 300 + 330 * (i // 4)) for i in range(8))
    )
    annotate(frame, many, LABELS)
    fastest_s = float("inf")
    for _ in range(30):
        started_s = time.perf_counter()
        annotate(frame, many, LABELS)
        fastest_s = min(fastest_s, time.perf_counter() - started_s)
    assert fastest_s < 0.003
