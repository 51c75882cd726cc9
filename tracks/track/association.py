"""ultralytics' BYTETracker, changed in what it counts: its `frame_id` is milliseconds, and classes matter.

Written against ultralytics 8.4.190; the methods that are replaced are `multi_predict`, `get_kalmanfilter`, `get_dists`
and `_second_association`. Their own versions count updates and match boxes whatever they show.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ultralytics.trackers.basetrack import TrackState
from ultralytics.trackers.byte_tracker import BYTETracker
from ultralytics.trackers.utils import matching

from ..types import Detections
from . import TrackOptions
from .kalman import TimedKalman

Track = Any
"""An `STrack` of ultralytics, whose attributes are annotated as None there."""

TICKS_PER_S = 1000
"""What BYTETracker takes for frame numbers are milliseconds: a lost track is kept for a time, whatever the rate."""
MATCH_COST = 0.8
"""Boxes with an IoU under 0.2 are never the same object. Scores are not multiplied in: that lost people at 0.3."""
WEAK_MATCH_COST = 0.5
"""Uncertain boxes must overlap more (ByteTrack, section 3.2)."""
OTHER_CLASS_IOU = 0.7
"""Detectors flip between car and truck: a box of another class continues a track only above this overlap …"""
OTHER_CLASS_COST = 0.2
"""… and only if no box of its own class fits about as well."""


class Results:
    """Detections in the shape that BYTETracker reads: `xywh` (centre and size), `conf`, `cls`, mask indexing."""

    def __init__(self, detections: Detections) -> None:
        self._detections = detections
        box = detections.xyxy.astype(np.float64)
        self.xywh = np.concatenate([(box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]], axis=1)
        self.conf = detections.confidence
        self.cls = detections.class_id

    def __len__(self) -> int:
        return len(self._detections)

    def __getitem__(self, keep: NDArray[np.bool_]) -> Results:
        return Results(self._detections.select(keep))


class Association(BYTETracker):
    """Joins boxes to tracks. Internal: `ByteTrack` is what a session uses."""

    def __init__(self, options: TrackOptions) -> None:
        self._kalman = TimedKalman()
        super().__init__(  # type: ignore[no-untyped-call]
            SimpleNamespace(
                track_high_thresh=options.confidence,
                track_low_thresh=options.weak_confidence,
                new_track_thresh=options.confidence,
                track_buffer=round(options.lost_s * TICKS_PER_S),
                match_thresh=MATCH_COST,
                fuse_score=False,
            )
        )

    def step(self, detections: Detections, elapsed_s: float) -> list[Track]:
        """The confirmed tracks that a box of this picture belongs to; the row of the box is the track's `idx`."""
        self._kalman.elapse(elapsed_s)
        # `update` adds one. The first picture must be number 1: its boxes need no second sighting to be believed.
        self.frame_id += max(round(elapsed_s * TICKS_PER_S) - 1, 0)
        self.update(Results(detections))
        # The original leaves a track that has just expired in the pool, where the next picture could revive it.
        self.lost_stracks = [track for track in self.lost_stracks if track.state == TrackState.Lost]
        self.removed_stracks.clear()
        return [track for track in self.tracked_stracks if track.is_activated and track.frame_id == self.frame_id]

    def rescale(self, x: float, y: float) -> None:
        """Multiply the state of every track by `x` and `y`."""
        factors = np.tile([x, y, x / y, y], 2)
        for track in self.tracked_stracks + self.lost_stracks:
            track.mean = track.mean * factors
            track.covariance = track.covariance * np.outer(factors, factors)

    def retune(self, confidence: float) -> None:
        """Boxes of this confidence or above start tracks from now on."""
        self.args.track_high_thresh = self.args.new_track_thresh = confidence

    def relabel(self, moved: Mapping[int, int]) -> None:
        """Class ids have changed; tracks whose class is not in `moved` are forgotten."""
        for tracks in (self.tracked_stracks, self.lost_stracks):
            tracks[:] = [track for track in tracks if int(track.cls) in moved]
            for track in tracks:
                track.cls = moved[int(track.cls)]

    def get_kalmanfilter(self) -> TimedKalman:
        """The filter that new tracks are given."""
        return self._kalman

    def multi_predict(self, tracks: list[Track]) -> None:
        """Move tracks by the elapsed time; the original uses one filter for all trackers of the process."""
        if not tracks:
            return
        means = np.stack([track.mean for track in tracks])
        means[[track.state != TrackState.Tracked for track in tracks], 7] = 0  # a lost one keeps its height
        means, covariances = self._kalman.multi_predict(means, np.stack([track.covariance for track in tracks]))
        for track, mean, covariance in zip(tracks, means, covariances, strict=True):
            track.mean, track.covariance = mean, covariance

    def get_dists(self, tracks: list[Track], detections: list[Track]) -> NDArray[np.float32]:
        """Cost of joining each track (rows) with each box (columns): 1 - IoU, more where the classes differ."""
        cost: NDArray[np.float32] = matching.iou_distance(tracks, detections)
        if cost.size:
            classes = np.array([track.cls for track in tracks])[:, None]
            other = classes != np.array([box.cls for box in detections])
            cost[other] = np.where(cost[other] > 1 - OTHER_CLASS_IOU, 1.0, cost[other] + OTHER_CLASS_COST)
        return cost

    def _second_association(
        self,
        pool: list[Track],
        unmatched: list[int],
        weak: list[Track],
        activated: list[Track],
        found_again: list[Track],
        lost: list[Track],
    ) -> None:
        """Continue tracks with uncertain boxes; the original compares no classes here."""
        tracked = [pool[i] for i in unmatched if pool[i].state == TrackState.Tracked]
        matches, left_over, _ = matching.linear_assignment(self.get_dists(tracked, weak), thresh=WEAK_MATCH_COST)
        self._apply_matches(matches, tracked, weak, activated, found_again)
        for i in left_over:
            tracked[i].mark_lost()
            lost.append(tracked[i])
