"""Where boxes will be: each track's velocity from its latest boxes, in pixels per second.

ByteTrack's own filter is tuned to associate: its velocity lags behind by several updates. What is shown between two
detections is extrapolated from the detector's boxes instead. On people walking (10 detections a second, 60 to 100 ms
old when they arrive) the shown boxes of moving people then overlap with the detector's own result on the shown frame by
0.91 (median IoU), against 0.85 when boxes are held; over all people, most of whom stand, by 0.99 both ways.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..types import Detections

Floats = NDArray[np.float64]

WINDOW_S = 0.4
"""Boxes older than this, before the newest one, say nothing about the velocity (but the last two always count)."""
DECAY_S = 0.1
"""Weight of a box falls by e in this time: people start, stop and turn."""
SAMPLES = 12
"""Boxes kept of a track: `WINDOW_S` at 30 detections a second."""
NOISE = 0.01
"""How far a detector's edge jitters while nothing moves, relative to the square root of the box's area."""
FADE_S = 0.5
"""Motion is believed for this long: t seconds go as far as FADE_S * (1 - exp(-t / FADE_S)) seconds would."""


@dataclass(slots=True)
class _Path:
    """The latest sightings of one track."""

    confidence: float = 0.0
    class_id: int = 0
    sure_s: float = 0.0
    """When it was last seen with a confidence that is shown."""
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    boxes: deque[Floats] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    velocity: Floats = field(default_factory=lambda: np.zeros(4))

    def add(self, at_s: float, box: Floats) -> None:
        """Append a box (4,); one at or before the time of the last replaces it."""
        if self.times_s and at_s <= self.times_s[-1]:
            self.times_s.pop()
            self.boxes.pop()
        self.times_s.append(at_s)
        self.boxes.append(box)
        self.velocity = self._fit()

    def _fit(self) -> Floats:
        """Slope of each edge (4,), by weighted least squares, shrunk towards zero where it is within the jitter."""
        if len(self.times_s) < 2:
            return np.zeros(4)
        ages = np.array(self.times_s) - self.times_s[-1]
        recent = ages >= min(-WINDOW_S, ages[-2])
        ages = ages[recent]
        weights = np.exp(ages / DECAY_S)
        centred = weights * (ages - weights @ ages / weights.sum())
        spread = float(centred @ ages)
        slope: Floats = centred @ np.array(self.boxes)[recent] / spread
        x1, y1, x2, y2 = self.boxes[-1]
        jitter_squared = NOISE**2 * max((x2 - x1) * (y2 - y1), 1.0)
        signal_squared = np.square(slope) * spread
        shrunk: Floats = slope * signal_squared / (signal_squared + jitter_squared)
        return shrunk


class Motion:
    """The tracks that can be shown, and their velocities."""

    def __init__(self, shown_s: float, stale_s: float, horizon_s: float) -> None:
        self._shown_s = shown_s
        self._stale_s = stale_s
        self._horizon_s = horizon_s
        self._paths: dict[int, _Path] = {}
        self._updated_s = 0.0
        self._freeze()

    def update(self, tracked: Detections, at_s: float, sure: NDArray[np.bool_], alive: Collection[int]) -> None:
        """Take the rows that were seen at `at_s` (with track ids), and forget tracks that are not in `alive`.

        Rows that are not `sure` (mask) move their track, but do not keep it shown.
        """
        assert tracked.track_id is not None
        self._updated_s = at_s
        boxes = tracked.xyxy.astype(np.float64)
        for i, track_id in enumerate(tracked.track_id.tolist()):
            path = self._paths.setdefault(track_id, _Path())
            path.add(at_s, boxes[i])
            path.class_id = int(tracked.class_id[i])
            if sure[i]:
                path.confidence, path.sure_s = float(tracked.confidence[i]), at_s
        for track_id in self._paths.keys() - set(alive):
            del self._paths[track_id]
        self._freeze()

    def predict(self, at_s: float, size: tuple[int, int] | None = None) -> Detections:
        """Every track surely seen lately, moved to `at_s`, clipped to `size` (width, height), not empty.

        Lately: within `shown_s`, or in the newest update when the detector is so slow that it is older than that.
        """
        ages_s = at_s - self._seen_s
        steps = np.minimum(np.abs(ages_s), self._horizon_s)
        steps = np.sign(ages_s) * FADE_S * -np.expm1(-steps / FADE_S)
        boxes = self._boxes + self._velocities * steps[:, None]
        if size is not None:
            np.clip(boxes, 0.0, (*size, *size), out=boxes)
        patience_s = np.where(self._sure_s >= self._updated_s, self._stale_s, self._shown_s)
        shown = at_s - self._sure_s <= patience_s
        shown &= (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        moved = Detections(boxes.astype(np.float32), self._confidence, self._class_id, self._ids)
        return moved.select(shown)

    def rescale(self, x: float, y: float) -> None:
        """Multiply everything in pixels by `x` and `y`."""
        factors = np.array([x, y, x, y])
        for path in self._paths.values():
            path.boxes = deque((box * factors for box in path.boxes), maxlen=SAMPLES)
            path.velocity = path.velocity * factors
        self._freeze()

    def relabel(self, moved: Mapping[int, int]) -> None:
        """Class ids have changed; tracks whose class is not in `moved` are forgotten."""
        self._paths = {number: path for number, path in self._paths.items() if path.class_id in moved}
        for path in self._paths.values():
            path.class_id = moved[path.class_id]
        self._freeze()

    def clear(self) -> None:
        """Forget every track."""
        self._paths.clear()
        self._freeze()

    def _freeze(self) -> None:
        """Lay the tracks out as arrays, once for each update, so that `predict` is a handful of array operations."""
        paths = list(self._paths.values())
        self._ids = np.array(list(self._paths), np.int32)
        self._boxes = np.array([path.boxes[-1] for path in paths], np.float64).reshape(-1, 4)
        self._velocities = np.array([path.velocity for path in paths], np.float64).reshape(-1, 4)
        self._seen_s = np.array([path.times_s[-1] for path in paths], np.float64)
        self._sure_s = np.array([path.sure_s for path in paths], np.float64)
        self._confidence = np.array([path.confidence for path in paths], np.float32)
        self._class_id = np.array([path.class_id for path in paths], np.int32)
