"""Measure a detector on labelled pictures, through the path that frames take: yuv420p, letterbox, detector.

    python -m tracks.weights.evaluate DATASET [--detector people] [--input-size 320] [--split val]

DATASET holds images/SPLIT/*.jpg and labels/SPLIT/*.txt in YOLO's format (class, centre x, centre y, width, height, all
relative). Average precision is ultralytics' (101 points, COCO's definition). Pictures without a label file count too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from ..detect import Detector
from ..detect.load import load_detector
from ..frames import letterbox
from ..registry import Registry
from ..types import Boxes, Detections

OVERLAPS = np.linspace(0.5, 0.95, 10)
"""Intersection over union at which a detection counts, as in COCO."""


def detect_file(detector: Detector, path: Path) -> tuple[Detections, tuple[int, int]]:
    """Detections in pixels of a picture file, and its (height, width)."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    image, fit = letterbox(frame, detector.input_size(frame.width, frame.height))
    found = detector.detect([image])[0]
    return found.moved(fit.to_source(found.xyxy)), (frame.height, frame.width)


def read_labels(path: Path, size: tuple[int, int]) -> tuple[Boxes, NDArray[np.int32]]:
    """Boxes in pixels and classes of one label file; none when it is not there."""
    rows = [line.split() for line in path.read_text().splitlines()] if path.is_file() else []
    table = np.array(rows, np.float32).reshape(-1, 5)
    centre, extent = table[:, 1:3], table[:, 3:5]
    scale = np.array((size[1], size[0]) * 2, np.float32)
    boxes = (np.concatenate((centre - extent / 2, centre + extent / 2), axis=1) * scale).astype(np.float32)
    return boxes, table[:, 0].astype(np.int32)


def overlap(left: Boxes, right: Boxes) -> NDArray[np.float32]:
    """Intersection over union of every pair, (n, m)."""
    low = np.maximum(left[:, None, :2], right[None, :, :2])
    high = np.minimum(left[:, None, 2:], right[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    area_left, area_right = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (left, right))
    union: NDArray[np.float32] = shared / np.maximum(area_left[:, None] + area_right[None] - shared, 1e-9)
    return union


def matched(found: Detections, boxes: Boxes, classes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each detection is right, (n, 10), one column per overlap.

    As in COCO: the more confident detection chooses first, and takes the label it covers best of those still free.
    """
    right = np.zeros((len(found), len(OVERLAPS)), bool)
    pairs = overlap(found.xyxy, boxes) * (found.class_id[:, None] == classes[None])
    for column, least in enumerate(OVERLAPS):
        free = pairs.copy()
        for row in np.argsort(-found.confidence, kind="stable"):
            if len(boxes) and free[row].max() >= least:
                right[row, column] = True
                free[:, free[row].argmax()] = 0
    return right


def evaluate(detector: Detector, images: Sequence[Path], labels: Path) -> dict[str, float]:
    """mAP50, mAP50-95, precision and recall (where their harmonic mean is best) over the pictures."""
    from ultralytics.utils.metrics import ap_per_class

    right: list[NDArray[np.bool_]] = []
    confidence: list[NDArray[np.float32]] = []
    predicted: list[NDArray[np.int32]] = []
    wanted: list[NDArray[np.int32]] = []
    for path in images:
        found, size = detect_file(detector, path)
        boxes, classes = read_labels(labels / f"{path.stem}.txt", size)
        right.append(matched(found, boxes, classes))
        confidence.append(found.confidence)
        predicted.append(found.class_id)
        wanted.append(classes)
    _, _, precision, recall, _, average, *_ = ap_per_class(
        np.concatenate(right), np.concatenate(confidence), np.concatenate(predicted), np.concatenate(wanted)
    )
    return {
        "boxes": float(sum(map(len, wanted))),
        "mAP50": float(average[:, 0].mean()),
        "mAP50-95": float(average.mean()),
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
    }


def main() -> None:
    """Print the figures of one detector on one dataset."""
    parser = argparse.ArgumentParser(description="Measure a detector on labelled pictures.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--detector", default="people", help="a registry name, a hub name or a path")
    parser.add_argument("--input-size", type=int, default=0, help="pixels of the longer side (0: the model's own)")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--split", default="val")
    given = parser.parse_args()
    images = sorted((given.dataset / "images" / given.split).glob("*.jpg"))
    with tempfile.TemporaryDirectory() as data_dir:
        detector = load_detector(
            given.detector,
            registry=Registry.load(),
            data_dir=Path(data_dir),
            report=print,
            input_size=given.input_size,
            runtime=given.runtime,
            fallback=False,
        )
        print(f"{detector.info.name} on {detector.info.runtime}, {len(images)} pictures")
        for name, value in evaluate(detector, images, given.dataset / "labels" / given.split).items():
            print(f"{name:10} {value:.3f}")
        detector.close()


if __name__ == "__main__":
    main()
