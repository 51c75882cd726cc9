"""How well the boxes that were drawn on a frame fit what the detector itself finds on that very frame."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(n, 4) float32: x1, y1, x2, y2 in pixels of the source frame."""

MOVING_PX = 2.0
"""A box whose centre moves by at least this much from one frame to the next counts as moving: 60 pixels a second."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The detector's own result on every frame of the content, most confident first."""

    boxes: list[Boxes]
    confidence: list[NDArray[np.float32]]
    class_id: list[NDArray[np.int32]]

    def save(self, path: Path) -> None:
        """Write to a .npz file."""
        counts = np.array([len(boxes) for boxes in self.boxes], np.int32)
        np.savez(
            path,
            counts=counts,
            boxes=np.concatenate(self.boxes),
            confidence=np.concatenate(self.confidence),
            class_id=np.concatenate(self.class_id),
        )

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Read what `save` wrote."""
        with np.load(path) as saved:
            cuts = np.cumsum(saved["counts"])[:-1]
            return cls(
                np.split(saved["boxes"], cuts), np.split(saved["confidence"], cuts), np.split(saved["class_id"], cuts)
            )

    def shown_at(self, index: int, confidence: float) -> tuple[Boxes, NDArray[np.int32]]:
        """Boxes and classes on one frame that are at least this confident."""
        keep = self.confidence[index] >= confidence
        return self.boxes[index][keep], self.class_id[index][keep]


@dataclass(frozen=True, slots=True)
class Shown:
    """The boxes drawn on one returned frame."""

    number: int
    boxes: Boxes
    class_id: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Intersection over union of every box of the truth with the best shown box of its class; 0 where there is none."""

    boxes: int
    median_iou: float
    moving_boxes: int
    moving_median_iou: float
    """Only of boxes that move."""
    missed: float
    """Share of the truth's boxes that no shown box overlaps by half."""
    invented: float
    """Share of the shown boxes that overlap no box of the truth by half."""


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """(n, m) intersection over union of every box of `a` (n, 4) with every box of `b` (m, 4)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None, :] - common
    overlap: NDArray[np.float32] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlap


def compare(shown: Iterable[Shown], truth: Truth, order: NDArray[np.int32], confidence: float) -> Accuracy:
    """Hold every shown frame against the truth of the frame filmed then. `confidence`: of the session's profile.

    Raises ValueError when the truth has no box on any of these frames.
    """
    best: list[float] = []
    moving: list[bool] = []
    drawn: list[float] = []
    for frame in shown:
        boxes, classes = truth.shown_at(int(order[frame.number % len(order)]), confidence)
        before, _ = truth.shown_at(int(order[(frame.number - 1) % len(order)]), confidence)
        fit = iou(boxes, frame.boxes) * (classes[:, None] == frame.class_id[None, :])
        best += fit.max(axis=1, initial=0.0).tolist()
        drawn += fit.max(axis=0, initial=0.0).tolist()
        moving += _moving(boxes, before).tolist()
    if not best:
        raise ValueError(f"the detector itself finds nothing with a confidence of {confidence} in this content")
    fits, moves = np.array(best), np.array(moving, np.bool_)
    return Accuracy(
        len(fits),
        float(np.median(fits)),
        int(moves.sum()),
        float(np.median(fits[moves])) if moves.any() else float("nan"),
        float(np.mean(fits < 0.5)),
        float(np.mean(np.array(drawn) < 0.5)) if drawn else 0.0,
    )


def read_shown(path: Path) -> list[Shown]:
    """What `bench.watched_server` wrote: one frame a line."""
    frames = []
    for line in path.read_text().splitlines():
        number, boxes, class_id = json.loads(line)
        frames.append(Shown(number, np.array(boxes, np.float32).reshape(-1, 4), np.array(class_id, np.int32)))
    return frames


def _moving(boxes: Boxes, before: Boxes) -> NDArray[np.bool_]:
    """(n,) whether each box's centre is away from where its nearest one was a frame earlier."""
    if not len(before):
        return np.ones(len(boxes), np.bool_)
    centres, earlier = ((b[:, :2] + b[:, 2:]) / 2 for b in (boxes, before))
    distance = np.linalg.norm(centres[:, None] - earlier[None, :], axis=2).min(axis=1, initial=np.inf)
    return np.asarray(distance >= MOVING_PX)
