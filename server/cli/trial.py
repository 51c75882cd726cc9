"""A detector tried on a real photograph: what it finds, and how long it takes."""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from av import VideoFrame
from av import open as open_media

from tracks.detect import Detector, DetectorInfo
from tracks.errors import ModelUnavailable
from tracks.frames import letterbox
from tracks.types import Detections, Image

if TYPE_CHECKING:
    from tracks.lookout import DetectorWorker

PHOTOGRAPH = "assets/bus.jpg"
"""In ultralytics' package: four people and a bus, 810x1080."""
TOP, HEIGHT = 312, 456
"""The rows of it that make a picture of a camera's shape, 16:9, with all of them on it."""
CONFIDENCE = 0.35
"""From which on something counts as found; what the profile `fast` shows."""
TIMES = 10
TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Trial:
    """How a detector did."""

    info: DetectorInfo
    load_s: float
    found: Mapping[str, int]
    """How many of which label."""
    input_size: tuple[int, int]
    """(height, width) in pixels of the input that the photograph became."""
    each_ms: Sequence[float]
    """How long each detection took."""

    @property
    def median_ms(self) -> float:
        """The middle one of the times."""
        return statistics.median(self.each_ms)

    @property
    def words(self) -> str:
        """`4 × person, 1 × bus`, or `nothing`."""
        return ", ".join(f"{count} × {label}" for label, count in self.found.items()) or "nothing"


async def try_worker(worker: DetectorWorker) -> Trial:
    """Load as the server does, on its thread, and detect some times. Raises what loading or detecting raises."""
    began_s = time.monotonic()
    detector = await worker.start()
    load_s = time.monotonic() - began_s
    frame = await asyncio.to_thread(photograph)
    size = detector.input_size(frame.width, frame.height)
    image, _ = await asyncio.to_thread(letterbox, frame, size)
    found = await worker.infer(image, timeout_s=TIMEOUT_S)  # a size that was not run before may be compiled
    each_ms = []
    for _ in range(TIMES):
        began_s = time.monotonic()
        await worker.infer(image, timeout_s=TIMEOUT_S)
        each_ms.append((time.monotonic() - began_s) * 1e3)
    return Trial(detector.info, load_s, _count(found, detector.info.labels), size, each_ms)


def try_detector(detector: Detector, load_s: float) -> Trial:
    """Detect once. Blocking: call on the thread that loaded it. Raises what detecting raises."""
    frame = photograph()
    size = detector.input_size(frame.width, frame.height)
    image, _ = letterbox(frame, size)
    began_s = time.monotonic()
    (found,) = detector.detect([image])
    took_ms = (time.monotonic() - began_s) * 1e3
    return Trial(detector.info, load_s, _count(found, detector.info.labels), size, [took_ms])


def photograph() -> VideoFrame:
    """The photograph, 810x456. Blocking. Raises ModelUnavailable without ultralytics, which loads the models, too."""
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or spec.origin is None:
        raise ModelUnavailable("the package ultralytics is not installed")
    with open_media(str(Path(spec.origin).parent / PHOTOGRAPH)) as container:
        whole = next(container.decode(video=0)).to_ndarray(format="rgb24")
    pixels: Image = np.ascontiguousarray(whole[TOP : TOP + HEIGHT], np.uint8)
    return VideoFrame.from_ndarray(pixels, format="rgb24")


def _count(found: Detections, labels: Sequence[str]) -> Mapping[str, int]:
    sure = found.class_id[found.confidence >= CONFIDENCE]
    return dict(Counter(labels[int(each)] for each in sure).most_common())
