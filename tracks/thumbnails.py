"""The best picture of every tracked object: judged at each detected frame, copied only when it is clearly better.

What is copied is the object with a little around it, from the frame as it came, at most 320 pixels long: a few hundred
microseconds, a few times in a track's life. To make a JPEG of it is left to whoever has a thread.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from av import VideoFrame

from .planes import Plane, planes
from .types import Detections

LONGER_SIDE = 320
"""Pixels of a crop at most; more than that adds nothing to its score."""
SHORTER_SIDE = 64
"""Pixels of the frame that a crop shows at least, so that a distant object is seen where it is."""
MARGIN = 0.08
"""Around the box, of its longer side."""
SLIMMEST = 0.55
"""Shorter to longer side of a crop, unless the frame itself is in the way."""
CLEARLY = 1.25
"""So much better is worth a copy, or another file. It also bounds the copies: a score can rise by it 20 times."""
RETRY_S = 0.25
"""After a crop that was looked at and not taken, its object is left alone for this long."""
LOOKS_A_FRAME = 4
"""Crops looked at in one frame: bounds what a crowd costs."""
MAX_CROPS = 64
"""Objects with a crop at once; at most 150 kB each."""
CUT_OFF = 0.5
"""What the picture of an object at the frame's edge is worth: a part of it is outside."""
SHARP = 6.0
"""Mean absolute Laplacian of a crop that is half as good as a perfectly sharp one."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a frame, with nothing drawn on it."""

    frame: VideoFrame
    """In the format and colours of its source, even in width and height."""
    score: float
    """0 to 1: how sure, how large, how sharp, and whether all of it is there."""
    media_s: float
    """Seconds on the session clock."""


class _Area(NamedTuple):
    """A rectangle inside the frame, even pixels; the far edges are not part of it."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(slots=True)
class _Known:
    crop: Crop
    not_before_s: float


class BestCrops:
    """The best crop of each track of one session. Call on the event loop."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def look(self, frame: VideoFrame, tracked: Detections, media_s: float) -> None:
        """Keep what is clearly better than before; boxes are in pixels of the yuv420p frame.

        Raises ValueError when the boxes have no track ids.
        """
        if tracked.track_id is None:
            raise ValueError("expected tracked detections, got some without track ids")
        promising = []
        rows = zip(tracked.track_id.tolist(), tracked.xyxy.tolist(), tracked.confidence.tolist(), strict=True)
        for number, box, confidence in rows:
            known = self._known.get(number)
            if known is not None and media_s < known.not_before_s:
                continue
            bound = _bound(box, confidence, frame.width, frame.height)
            gain = bound / known.crop.score if known is not None else math.inf
            if bound > 0 and gain > CLEARLY and (known is not None or len(self._known) < MAX_CROPS):
                promising.append((gain, bound, number, box))
        promising.sort(key=lambda each: each[:2], reverse=True)
        for _, bound, number, box in promising[:LOOKS_A_FRAME]:
            self._try(frame, number, box, bound, media_s)

    def best(self, number: int) -> Crop | None:
        """The best crop of a track so far."""
        known = self._known.get(number)
        return None if known is None else known.crop

    def keep_only(self, numbers: Collection[int]) -> None:
        """Forget every other track."""
        for number in self._known.keys() - numbers:
            del self._known[number]

    def _try(self, frame: VideoFrame, number: int, box: list[float], bound: float, media_s: float) -> None:
        """Cut the luma out; when it is sharp enough, the colours too."""
        known = self._known.get(number)
        if known is None and len(self._known) >= MAX_CROPS:
            return
        area = _around(box, frame.width, frame.height)
        size = _size(area)
        source = planes(frame)
        luma = _cut(source.y, area, size, 1)
        score = bound * _sharpness(luma)
        if known is not None and score <= known.crop.score * CLEARLY:
            known.not_before_s = media_s + RETRY_S
            return
        target = VideoFrame(*size, frame.format.name)
        target.colorspace, target.color_range = frame.colorspace, frame.color_range
        y, u, v = planes(target)
        np.copyto(y, luma)
        for plane, from_plane in ((u, source.u), (v, source.v)):
            np.copyto(plane, _cut(from_plane, area, size, 2))
        self._known[number] = _Known(Crop(target, score, media_s), media_s)


def _bound(box: list[float], confidence: float, width: int, height: int) -> float:
    """The score if the crop were perfectly sharp; 0 for a box that cannot be cut out."""
    x1, y1, x2, y2 = box
    if not math.isfinite(sum(box) + confidence):
        return 0.0
    inside = max(0.0, min(x2, width) - max(x1, 0.0)) * max(0.0, min(y2, height) - max(y1, 0.0))
    if inside < 4 or min(width, height) < 4:
        return 0.0
    large = min(1.0, math.sqrt(inside) / LONGER_SIDE)
    edge = 0.005 * min(width, height) + 1
    whole = x1 > edge and y1 > edge and x2 < width - edge and y2 < height - edge
    return confidence * large * (1.0 if whole else CUT_OFF)


def _around(box: list[float], width: int, height: int) -> _Area:
    """The box with its margin, not too slim and not too small, moved into the frame where it sticks out."""
    x1, y1, x2, y2 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], width), min(box[3], height)
    margin = 2 * MARGIN * max(x2 - x1, y2 - y1)
    across, down = x2 - x1 + margin, y2 - y1 + margin
    across, down = max(across, down * SLIMMEST, SHORTER_SIDE), max(down, across * SLIMMEST, SHORTER_SIDE)
    left, right = _span((x1 + x2) / 2, across, width)
    top, bottom = _span((y1 + y2) / 2, down, height)
    return _Area(left, top, right, bottom)


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    """`length` pixels around `middle`, inside 0 to `limit`; both ends even, as a chroma sample covers two pixels."""
    limit -= limit % 2
    size = min(2 * math.ceil(length / 2), limit)
    start = min(max(2 * round((middle - size / 2) / 2), 0), limit - size)
    return start, start + size


def _size(area: _Area) -> tuple[int, int]:
    """Even width and height of a crop: those of its area, or less."""
    width, height = area.right - area.left, area.bottom - area.top
    scale = min(1.0, LONGER_SIDE / max(width, height))
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _cut(plane: Plane, area: _Area, size: tuple[int, int], samples: int) -> Plane:
    """That part of a plane in the crop's size; chroma has one sample for `samples` pixels each way."""
    left, top, right, bottom = (edge // samples for edge in area)
    part = plane[top:bottom, left:right]
    width, height = size[0] // samples, size[1] // samples
    # By halves, each the mean of four, then the rest: as smooth as INTER_AREA in a fifth of the time.
    while part.shape[0] >= 2 * height and part.shape[1] >= 2 * width and width > 1 and height > 1:
        part = _scaled(part, part.shape[1] // 2, part.shape[0] // 2)
    return part if part.shape == (height, width) else _scaled(part, width, height)


def _scaled(plane: Plane, width: int, height: int) -> Plane:
    scaled: Plane = np.empty((height, width), np.uint8)
    cv2.resize(plane, (width, height), dst=scaled, interpolation=cv2.INTER_LINEAR)
    return scaled


def _sharpness(luma: Plane) -> float:
    """0 to 1: nearer to 1 the more there is of edges."""
    edges = cv2.Laplacian(luma, cv2.CV_16S)
    strength = cv2.norm(edges, cv2.NORM_L1) / edges.size
    return float((strength + 1) / (strength + 1 + SHARP))
