from __future__ import annotations

import numpy as np
from av import VideoFrame

from tests.fakes import picture
from tracks.events import DetectionData, Model, ObjectData
from tracks.pipeline import VisionReporter
from tracks.thumbnails import CLEARLY, Crop
from tracks.types import Detections
from tracks.vision import Observation


class Told:
    """What a reporter emitted."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Model, float, bool]] = []

    def __call__(self, kind: str, data: Model, media_s: float, *, stored: bool, at_once: bool = False) -> None:
        for kept in (False, True) if stored and at_once else (stored,):
            self.events.append((kind, data, media_s, kept))

    def of(self, kind: str, *, stored: bool) -> list[Model]:
        return [data for each, data, _, kept in self.events if each == kind and kept == stored]


FRAME = picture(10)


class Stored:
    """A picture that was kept."""

    def __init__(self, crop: Crop, number: int) -> None:
        self.crop = crop
        self.id = f"picture {number}"
        self.lost = False


class Album:
    """Keeps what a reporter wants kept."""

    def __init__(self) -> None:
        self.kept: list[Stored] = []

    def __call__(self, crop: Crop) -> Stored:
        self.kept.append(Stored(crop, len(self.kept) + 1))
        return self.kept[-1]


def seen(
    media_s: float, *track_ids: int, ticks: int = 0, confidence: float = 0.87654, frame: VideoFrame = FRAME
) -> Observation:
    count = len(track_ids)
    boxes = np.array([[10.04, 20, 30, 40]] * count, np.float32).reshape(-1, 4)
    tracked = Detections(
        boxes, np.full(count, confidence, np.float32), np.ones(count, np.int32), np.array(track_ids, np.int32)
    )
    return Observation(frame, 640, 360, ticks, ticks, media_s, 0.0254, tracked, ("dog", "person"))


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


def pictures(told: Told) -> list[tuple[str, str | None]]:
    """Phase and picture of every `object` event, as they go over the wire."""
    data = [data.wire() for data in told.of("object", stored=True)]
    return [(each["phase"], each.get("thumbnail")) for each in data]


def test_an_object_enters_with_its_best_picture_so_far_and_leaves_with_the_same() -> None:
    """One picture is kept when nothing clearly better comes; it is the best of those until the object entered."""
    told, album = Told(), Album()
    reporter = VisionReporter(told, lambda ticks: None, keep=album)
    for n, confidence in enumerate([0.3, 0.8, 0.5, 0.81, 0.8]):
        reporter.observe(seen(n / 10, 7, confidence=confidence))
    reporter.end(1.0)
    assert pictures(told) == [("entered", "picture 1"), ("left", "picture 1")]
    assert album.kept[0].crop.media_s == 0.1


def test_a_clearly_better_picture_replaces_the_first_when_the_object_is_told_of_again() -> None:
    """Between two events of an object nothing is kept; at the next one, the best of its life."""
    told, album = Told(), Album()
    reporter = VisionReporter(told, lambda ticks: None, keep=album)
    for n in range(20):
        reporter.observe(seen(n / 10, 7, confidence=0.3 if n < 10 else 0.9))
    assert len(album.kept) == 1
    for n in range(20, 40):
        reporter.observe(seen(n / 10))
    assert pictures(told) == [("entered", "picture 1"), ("left", "picture 2")]
    assert album.kept[1].crop.media_s >= 1.0
    assert album.kept[1].crop.score > album.kept[0].crop.score * CLEARLY


def test_a_picture_that_was_lost_is_kept_anew() -> None:
    """An event never names again what is known to be lost."""
    told, album = Told(), Album()
    reporter = VisionReporter(told, lambda ticks: None, keep=album)
    for n in range(5):
        reporter.observe(seen(n / 10, 7))
    album.kept[0].lost = True
    reporter.end(1.0)
    assert pictures(told) == [("entered", "picture 1"), ("left", "picture 2")]


def test_nothing_is_remembered_of_objects_that_are_gone() -> None:
    """A track number that comes again is another object, with a picture of its own."""
    told, album = Told(), Album()
    reporter = VisionReporter(told, lambda ticks: None, keep=album)
    for start_s in (0.0, 10.0):
        for n in range(5):
            reporter.observe(seen(start_s + n / 10, 7))
        for n in range(5, 40):
            reporter.observe(seen(start_s + n / 10))
    assert [thumbnail for _, thumbnail in pictures(told)] == ["picture 1"] * 2 + ["picture 2"] * 2
    assert album.kept[1].crop.media_s >= 10.0


def test_without_anybody_to_keep_pictures_events_have_none() -> None:
    """The field is absent, not null."""
    told = Told()
    reporter = VisionReporter(told, lambda ticks: None)
    for n in range(5):
        reporter.observe(seen(n / 10, 7))
    assert "thumbnail" not in told.of("object", stored=True)[0].wire()
