"""Planes and timing of yuv420p frames: the one place where pixels are viewed and pts are copied."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
"""(rows, columns) uint8, one sample a pixel (luma) or one for 2x2 pixels (chroma), limited range, BT.601."""


class Planes(NamedTuple):
    """Views of a frame's own memory: writing to them changes the frame. Valid while the frame lives."""

    y: Plane
    u: Plane
    v: Plane


def planes(frame: VideoFrame) -> Planes:
    """The three planes of a yuv420p frame, without the padding at the end of each line.

    Raises ValueError for any other format: `as_yuv420p` first.
    """
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        raise ValueError(f"expected a yuv420p frame, got {frame.format.name}")
    views = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        views.append(rows[:, : plane.width])
    return Planes(*views)


def as_yuv420p(frame: VideoFrame) -> VideoFrame:
    """The frame itself when it is yuv420p, else a converted one with the same timing."""
    if frame.format.name in ("yuv420p", "yuvj420p"):
        return frame
    return with_timing_of(frame.reformat(format="yuv420p"), frame)


def copy(frame: VideoFrame) -> VideoFrame:
    """A yuv420p copy whose planes may be drawn on: a decoder may still predict from the original's."""
    target = VideoFrame(frame.width, frame.height, "yuv420p")
    for source, destination in zip(planes(frame), planes(target), strict=True):
        np.copyto(destination, source)
    return with_timing_of(target, frame)


def with_timing_of(frame: VideoFrame, source: VideoFrame) -> VideoFrame:
    """Give `frame` the pts and time base of `source`, which has neither if it is a single picture, and return it."""
    frame.pts = source.pts
    if source.time_base is not None:
        frame.time_base = source.time_base
    return frame
