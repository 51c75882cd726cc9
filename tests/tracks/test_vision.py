from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from tests.fakes import TIME_BASE, BrightDetector, Camera, picture
from tests.waiting import until
from tracks.detect import Detector
from tracks.draw import annotate
from tracks.errors import ModelUnavailable, VedetteError
from tracks.planes import planes
from tracks.stats import Stats
from tracks.track import TrackOptions
from tracks.track.bytetrack import ByteTrack
from tracks.types import Detections, Image
from tracks.vision import Observation, VisionOptions, VisionTrack
from tracks.worker import Worker


class PtsClock:
    """A session clock that is the source's own."""

    def media_time(self, seconds: float) -> float:
        return seconds


class Scene:
    """A VisionTrack with everything it needs, and what it told."""

    def __init__(self, build: Callable[[], Detector] | None = None, **options: object) -> None:
        self.detector = BrightDetector()
        self.worker: Worker[Detector, Image, Detections] = Worker(
            "test",
            build or (lambda: self.detector),
            lambda detector, images: detector.detect(images),
        )
        self.stats = Stats()
        self.seen: list[Observation] = []
        self.errors: list[VedetteError] = []
        self.shown: list[tuple[int, Detections]] = []
        self.camera = Camera()
        self.track = VisionTrack(
            self.worker,
            ByteTrack(TrackOptions()),
            VisionOptions(**options),  # type: ignore[arg-type]
            self.stats,
            observe=self.seen.append,
            on_error=self.errors.append,
        )
        self.track.attach(self.camera, PtsClock())

    async def see(self, count: int) -> Observation:
        await until(lambda: len(self.seen) >= count)
        return self.seen[count - 1]

    async def close(self) -> None:
        self.detector.gate.set()
        await self.track.close()
        await self.worker.close()


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def note(frame: VideoFrame, shown: Detections, labels: Sequence[str]) -> VideoFrame:
        made[-1].shown.append((frame.pts or 0, shown))
        return annotate(frame, shown, labels)

    monkeypatch.setattr("tracks.vision.annotate", note)

    def make(**options: object) -> Scene:
        made.append(Scene(**options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def receive(scene: Scene) -> VideoFrame:
    async with asyncio.timeout(10):
        return await scene.track.recv()


async def test_smooth_returns_every_frame_without_waiting(scene: Callable[..., Scene]) -> None:
    """While the detector is busy, frames go on; the newest is looked at next and the others are counted."""
    it = scene(overlay="smooth")
    await it.worker.start()
    it.detector.gate.clear()
    for n in range(10):
        it.camera.show(n * 3000)
        assert (await receive(it)).pts == n * 3000
        await until(it.detector.entered.is_set)
    assert it.stats.frames_in == 10
    assert it.seen == []
    it.detector.gate.set()
    await it.see(2)
    assert [seen.ticks for seen in it.seen] == [0, 9 * 3000]
    assert it.stats.drops["detector"] == 8


async def test_smooth_moves_boxes_to_the_time_of_the_frame(scene: Callable[..., Scene]) -> None:
    """Between detections a moving object's box goes where the object is."""
    it = scene(overlay="smooth")
    await it.worker.start()
    for n in range(20):
        it.camera.show(n * 3000, x=100 + 4 * n)
        await receive(it)
        await it.see(n + 1)
    it.detector.gate.clear()
    for n in range(20, 24):
        it.camera.show(n * 3000, x=100 + 4 * n)
        await receive(it)
    pts, shown = it.shown[-1]
    assert pts == 23 * 3000
    assert shown.xyxy[0] == pytest.approx([192, 100, 252, 200], abs=6)


async def test_exact_returns_only_frames_with_their_own_detections(scene: Callable[..., Scene]) -> None:
    """Every returned frame was looked at, and carries the boxes that were found in it."""
    it = scene(overlay="exact")
    await it.worker.start()
    for n in range(5):
        it.camera.show(n * 3000, x=100 + 10 * n)
        assert (await receive(it)).pts == n * 3000
    assert [seen.ticks for seen in it.seen] == [n * 3000 for n in range(5)]
    for (pts, shown), n in zip(it.shown[1:], range(1, 5), strict=True):  # a track is sure of itself from its second hit
        assert pts == n * 3000
        assert shown.xyxy[0] == pytest.approx([100 + 10 * n, 100, 160 + 10 * n, 200], abs=4)


async def test_exact_drops_what_the_detector_cannot_take(scene: Callable[..., Scene]) -> None:
    """Frames that come while the detector is busy are dropped for newer ones, and counted."""
    it = scene(overlay="exact")
    await it.worker.start()
    it.detector.gate.clear()
    it.camera.show(0)
    await until(lambda: len(it.worker) + it.stats.frames_in >= 1 and not it.stats.queues["detector"]())
    for n in range(1, 10):
        it.camera.show(n * 3000)
    await until(lambda: it.stats.frames_in == 10)
    it.detector.gate.set()
    assert [(await receive(it)).pts for _ in range(2)] == [0, 9 * 3000]
    assert it.stats.drops["detector"] == 8


async def test_boxes_are_drawn_on_a_copy(scene: Callable[..., Scene]) -> None:
    """The decoder's own picture, from which it may predict the next, is left as it was."""
    it = scene(overlay="exact")
    before = planes(picture(200)).y.copy()
    await it.worker.start()
    for n in range(3):
        source = it.camera.show(n * 3000)
        returned = await receive(it)
    assert len(it.shown[-1][1]) == 1
    assert np.array_equal(planes(source).y, before)
    assert not np.array_equal(planes(returned).y, before)


async def test_inference_never_runs_on_the_event_loop(scene: Callable[..., Scene]) -> None:
    """The detector is called on its own thread."""
    it = scene(overlay="exact")
    await it.worker.start()
    it.camera.show(0)
    await it.see(1)
    assert threading.get_ident() not in it.detector.threads


async def test_frames_pass_while_the_model_loads(scene: Callable[..., Scene]) -> None:
    """Until the detector is there the picture is returned as it is, in either mode."""
    loading = threading.Event()
    detector = BrightDetector()

    def build() -> Detector:
        loading.wait(10)
        return detector

    it = scene(build=build, overlay="exact")
    it.camera.show(0)
    assert (await receive(it)).pts == 0
    loading.set()
    await it.see(1)


async def test_a_model_that_cannot_be_had_is_told_once_and_the_picture_goes_on(scene: Callable[..., Scene]) -> None:
    """Without a detector the session still shows its camera, and says why there are no boxes."""

    def build() -> Detector:
        raise ModelUnavailable("weights are gone")

    it = scene(build=build)
    for n in range(3):
        it.camera.show(n * 3000)
        await receive(it)
    await until(lambda: bool(it.errors))
    assert [error.code for error in it.errors] == ["model_unavailable"]


async def test_a_frame_that_cannot_be_looked_at_is_counted_and_told_once(scene: Callable[..., Scene]) -> None:
    """A detector that fails on a picture costs that picture, not the session."""
    it = scene(overlay="smooth")
    await it.worker.start()
    find, failures = it.detector._find, iter([True, True, False, False])

    def sometimes(image: Image) -> Detections:
        if next(failures, False):
            raise RuntimeError("boom")
        return find(image)

    it.detector._find = sometimes  # type: ignore[method-assign]
    for n in range(4):
        it.camera.show(n * 3000)
        await receive(it)
        await until(lambda n=n: it.stats.drops["model_unavailable"] + len(it.seen) == n + 1)
    assert it.stats.drops["model_unavailable"] == 2
    assert [error.code for error in it.errors] == ["model_unavailable"]
    assert len(it.seen) == 2


@pytest.mark.parametrize("overlay", ["smooth", "exact"])
async def test_a_change_of_resolution_goes_on(scene: Callable[..., Scene], overlay: str) -> None:
    """Browsers shrink the picture when bandwidth is short: tracks live on and boxes are in the new size."""
    it = scene(overlay=overlay)
    await it.worker.start()
    it.camera.show(0)
    await receive(it)
    first = await it.see(1)
    image = np.full((180, 320, 3), 30, np.uint8)
    image[50:100, 100:130] = 230
    small = VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
    small.pts, small.time_base = 3000, TIME_BASE
    it.camera._frames.put_nowait(small)
    returned = await receive(it)
    second = await it.see(2)
    assert (returned.width, returned.height) == (320, 180)
    assert (second.width, second.height) == (320, 180)
    assert second.tracked.xyxy[0] == pytest.approx([100, 50, 130, 100], abs=3)
    assert first.tracked.track_id is not None
    assert second.tracked.track_id is not None
    assert list(second.tracked.track_id) == list(first.tracked.track_id)


async def test_only_the_wanted_classes_are_kept(scene: Callable[..., Scene]) -> None:
    """A class filter takes out what was not asked for."""
    it = scene(overlay="exact", classes=frozenset({"dark"}))
    await it.worker.start()
    it.camera.show(0)
    assert len((await it.see(1)).tracked) == 0
    it.track.options = VisionOptions(overlay="exact", classes=frozenset({"bright"}))
    for n in range(1, 4):
        it.camera.show(n * 3000)
        await it.see(n + 1)
    assert len(it.seen[-1].tracked) == 1


async def test_the_rate_of_detection_is_capped(scene: Callable[..., Scene]) -> None:
    """At most so many detections a second, however fast the detector is."""
    it = scene(overlay="smooth", max_rate_hz=20)
    await it.worker.start()
    loop = asyncio.get_running_loop()
    started = loop.time()
    n = 0
    while len(it.seen) < 5:
        it.camera.show(n * 3000)
        await receive(it)
        n += 1
        await asyncio.sleep(0.002)
    assert loop.time() - started >= 4 / 20


async def test_the_track_ends_with_its_source(scene: Callable[..., Scene]) -> None:
    """Without somebody to keep it alive the track ends when there are no more frames."""
    it = scene()
    it.camera.show(0)
    await receive(it)
    it.camera.end()
    with pytest.raises(MediaStreamError):
        await receive(it)
    assert it.track.readyState == "ended"


async def test_a_second_source_goes_on_where_the_first_ended(scene: Callable[..., Scene]) -> None:
    """pts never go back: viewers of a session stay when its publisher reconnects."""
    it = scene()
    it.camera.show(90_000)
    assert (await receive(it)).pts == 90_000
    second = Camera()
    it.track.attach(second, Later())
    second.show(0)
    assert (await receive(it)).pts == 90_000 + 4 * 90_000
    second.show(3000)
    assert (await receive(it)).pts == 90_000 + 4 * 90_000 + 3000


class Later:
    """A clock by which the source began four seconds after the other's last frame."""

    def media_time(self, seconds: float) -> float:
        return 5.0 + seconds


async def test_close_leaves_no_task(scene: Callable[..., Scene]) -> None:
    """Whoever waits in `recv` is told, and nothing goes on running."""
    before = asyncio.all_tasks()
    it = scene()
    waiting = asyncio.create_task(it.track.recv())
    await asyncio.sleep(0)
    await it.close()
    with pytest.raises(MediaStreamError):
        await waiting
    assert asyncio.all_tasks() == before
