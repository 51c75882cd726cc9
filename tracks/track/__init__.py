"""What a tracker is: it gives the boxes of one object the same number from picture to picture, and moves them between.

Implementations live beside this file and are named in the registry, so that what they import loads only when chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..types import Detections


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """How sure and how patient a tracker is. Times are in seconds: the rate of detection does not matter."""

    confidence: float = 0.25
    """Boxes of this confidence or above start tracks, are shown and returned; others only keep a track going."""
    weak_confidence: float = 0.1
    """Boxes below this are ignored."""
    lost_s: float = 1.5
    """A track that was not seen for longer is forgotten, and its number never comes again."""
    shown_s: float = 0.5
    """`predict` leaves out tracks that were not seen for longer …"""
    stale_s: float = 1.5
    """… but those of the newest picture that was detected only after this long: a slow detector is no empty scene."""
    horizon_s: float = 0.5
    """`predict` moves a box no further than this past the last time it was seen."""


class Tracker(Protocol):
    """One session's tracker. Not thread-safe; `predict` and `update` are cheap enough for the event loop."""

    def update(self, detections: Detections, at_s: float) -> Detections:
        """Take what was found in the picture of `at_s` (session clock), and return the rows that belong to tracks.

        Rows keep the detector's own box and confidence and gain a track id: 1, 2, 3 … in the order of appearance.
        Call it for pictures without boxes, too.
        """

    def predict(self, at_s: float, size: tuple[int, int] | None = None) -> Detections:
        """Where the tracks are at `at_s`, by their motion; clipped to `size` (width, height) if given. Changes nothing.

        `update` and `predict` take times of one clock; `at_s` before the last update moves the boxes back.
        """

    def rescale(self, x: float, y: float) -> None:
        """The source changed its resolution: multiply what is known in pixels by `x` and `y`. Tracks live on."""

    def retune(self, confidence: float) -> None:
        """Boxes of this confidence or above start tracks, are shown and returned from now on. Tracks live on."""

    def relabel(self, before: Sequence[str], now: Sequence[str]) -> None:
        """Another detector, with other labels: class ids so far meant `before`, the next ones mean `now`.

        A track whose label is in both lives on; others are forgotten.
        """

    def reset(self) -> None:
        """Forget every track (another publisher took over). Numbers that were given are never given again."""
