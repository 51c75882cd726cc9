from __future__ import annotations

import numpy as np

from tracks.events import DetectionData, Model, ObjectData
from tracks.pipeline import VisionReporter
from tracks.types import Detections
from tracks.vision import Observation


class Told:
    """What a reporter emitted."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Model, float, bool]] = []

    def __call__(self, kind: str, data: Model, media_s: float, *, stored: bool) -> None:
        self.events.append((kind, data, media_s, stored))

    def of(self, kind: str, *, stored: bool) -> list[Model]:
        return [data for each, data, _, kept in self.events if each == kind and kept == stored]


def seen(media_s: float, *track_ids: int, ticks: int = 0) -> Observation:
    count = len(track_ids)
    boxes = np.array([[10.04, 20, 30, 40]] * count, np.float32).reshape(-1, 4)
    tracked = Detections(
        boxes, np.full(count, 0.87654, np.float32), np.ones(count, np.int32), np.array(track_ids, np.int32)
    )
    return Observation(640, 360, ticks, ticks, media_s, 0.0254, tracked, ("dog", "person"))


def test_a_detection_says_what_was_seen_and_when() -> None:
    """Boxes, label, confidence, numbers and both clocks, in what goes over the wire."""
    told = Told()
    reporter = VisionReporter(told, lambda ticks: (ticks + 5) % 2**32)
    reporter.observe(seen(1.0, 7, ticks=2**32 + 3000))
    (data,) = told.of("detection", stored=False)
    assert data.wire() == {
        "frame": {"width": 640, "height": 360},
        "inferenceMs": 25.4,
        "rtpTime": 3000,
        "sourceRtpTime": 3005,
        "objects": [{"box": [10.0, 20.0, 30.0, 40.0], "label": "person", "confidence": 0.877, "trackId": 7}],
    }


def test_detections_are_live_always_and_stored_once_a_second_or_at_a_change() -> None:
    """A scene that does not change is stored once a second, a change at once."""
    told = Told()
    reporter = VisionReporter(told, lambda ticks: None)
    for n in range(40):
        reporter.observe(seen(n / 10, *((7,) if n >= 15 else ())))
    assert len(told.of("detection", stored=False)) == 40
    times = [media_s for kind, _, media_s, stored in told.events if kind == "detection" and stored]
    entered = next(media_s for kind, _, media_s, _ in told.events if kind == "object")
    assert entered in times
    gaps = np.diff([time for time in times if time > entered])
    assert (gaps >= 0.99).all()
    assert all(isinstance(data, DetectionData) for data in told.of("detection", stored=True))


def test_what_is_in_the_picture_leaves_with_it() -> None:
    """At the end of a session everything that entered has left; with nothing seen nothing is told."""
    told = Told()
    reporter = VisionReporter(told, lambda ticks: None)
    reporter.end(0.0)
    assert told.events == []
    for n in range(10):
        reporter.observe(seen(n / 10, 7))
    reporter.end(1.0)
    phases = [data.phase for data in told.of("object", stored=True) if isinstance(data, ObjectData)]
    assert phases == ["entered", "left"]
