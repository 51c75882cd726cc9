"""ByteTrack (Zhang et al., ECCV 2022, arXiv 2110.06864) by ultralytics, on a clock instead of a counter of updates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..types import Detections
from . import TrackOptions
from .association import Association, Track
from .motion import Motion

CLASS_MEMORY = 0.9
"""A track's class is voted by the confidence of its boxes; an older vote counts this much less at every new one."""


class ByteTrack:
    """A `Tracker`: ByteTrack joins boxes to tracks, `Motion` moves them between detections. Not thread-safe."""

    def __init__(self, options: TrackOptions | None = None) -> None:
        self._options = options or TrackOptions()
        self._association = Association(self._options)
        self._motion = Motion(self._options.shown_s, self._options.stale_s, self._options.horizon_s)
        self._at_s: float | None = None
        self._numbers: dict[int, int] = {}
        self._votes: dict[int, dict[int, float]] = {}
        self._last_number = 0

    def update(self, detections: Detections, at_s: float) -> Detections:
        """The rows of confirmed tracks that reach `confidence`: the detector's boxes and confidences, and track ids.

        A track is confirmed and numbered at its second box (in the first picture at once), so numbers have no gaps.
        `class_id` is the class that the track was mostly seen as. A time before the last one counts as the last one; a
        jump of more than `lost_s` either way forgets every track. Raises ValueError when `at_s` is not finite.
        """
        if not math.isfinite(at_s):
            raise ValueError(f"time must be finite, got {at_s}")
        if self._at_s is not None and abs(at_s - self._at_s) > self._options.lost_s:
            self.reset()
        elapsed_s = 0.0 if self._at_s is None else max(at_s - self._at_s, 0.0)
        self._at_s = at_s if self._at_s is None else self._at_s + elapsed_s
        detections = _sound(detections)
        seen = self._association.step(detections, elapsed_s)
        tracked = self._named(detections.select(np.array([int(track.idx) for track in seen], np.intp)), seen)
        self._forget()
        sure = tracked.confidence >= self._options.confidence
        self._motion.update(tracked, self._at_s, sure, self._numbers.values())
        return tracked.select(sure)

    def predict(self, at_s: float, size: tuple[int, int] | None = None) -> Detections:
        """Every track seen lately, moved to `at_s` and clipped to `size` (width, height)."""
        return self._motion.predict(at_s, size)

    def rescale(self, x: float, y: float) -> None:
        """The source's width grew by the factor `x`, its height by `y`. Raises ValueError unless both are positive."""
        if not (x > 0 and y > 0):
            raise ValueError(f"scale must be positive, got {x} and {y}")
        self._association.rescale(x, y)
        self._motion.rescale(x, y)

    def retune(self, confidence: float) -> None:
        """From now on tracks start at this confidence, and are shown from it on."""
        self._options = replace(self._options, confidence=confidence)
        self._association.retune(confidence)

    def relabel(self, before: Sequence[str], now: Sequence[str]) -> None:
        """Class ids meant `before` and mean `now`: tracks of a label that is in both live on."""
        places = {label: class_id for class_id, label in enumerate(now)}
        moved = {class_id: places[label] for class_id, label in enumerate(before) if label in places}
        self._association.relabel(moved)
        self._motion.relabel(moved)
        for number, votes in self._votes.items():
            self._votes[number] = {moved[class_id]: vote for class_id, vote in votes.items() if class_id in moved}
        self._forget()

    def reset(self) -> None:
        """Forget every track; the next ones get new numbers."""
        self._association = Association(self._options)
        self._motion.clear()
        self._numbers.clear()
        self._votes.clear()
        self._at_s = None

    def _named(self, rows: Detections, tracks: list[Track]) -> Detections:
        """The rows with the number and the class of the track that each belongs to."""
        numbers = [self._number(track) for track in tracks]
        votes = zip(numbers, rows.class_id.tolist(), rows.confidence.tolist(), strict=True)
        classes = [self._vote(number, class_id, confidence) for number, class_id, confidence in votes]
        return Detections(rows.xyxy, rows.confidence, np.array(classes, np.int32), np.array(numbers, np.int32))

    def _number(self, track: Track) -> int:
        """The number of a confirmed track; ByteTrack's own ids have gaps, as it numbers every flicker."""
        number = self._numbers.get(track.track_id)
        if number is None:
            self._last_number += 1
            number = self._numbers[track.track_id] = self._last_number
        return number

    def _vote(self, number: int, class_id: int, confidence: float) -> int:
        """Count one box for its class, and return the class that leads."""
        votes = {other: weight * CLASS_MEMORY for other, weight in self._votes.get(number, {}).items()}
        votes[class_id] = votes.get(class_id, 0.0) + confidence
        self._votes[number] = votes
        return max(votes, key=votes.__getitem__)

    def _forget(self) -> None:
        """Drop what is kept of tracks that are gone."""
        alive = {track.track_id for track in self._association.tracked_stracks + self._association.lost_stracks}
        for track_id in self._numbers.keys() - alive:
            self._votes.pop(self._numbers.pop(track_id), None)


def _sound(detections: Detections) -> Detections:
    """Without boxes that are not finite or have no area, which no filter survives."""
    box = detections.xyxy
    sound = np.isfinite(box).all(axis=1) & np.isfinite(detections.confidence)
    sound &= (box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1])
    return detections if sound.all() else detections.select(sound)
