"""Small stand-ins: a detector that really looks at its picture, and a camera that shows what it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from tracks.detect import DetectorInfo
from tracks.errors import SourceUnreachable
from tracks.types import Detections, Image

TIME_BASE = Fraction(1, 90_000)
SIZE = (640, 360)


class BrightDetector:
    """Finds the one bright rectangle of a dark picture; waits before each call until its gate is open."""

    max_batch = 4

    def __init__(self) -> None:
        self.info = DetectorInfo("bright", "numpy", "cpu", "fp32", "", "", ("dark", "bright"), "for tests")
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.calls = 0
        self.closed = False
        self.threads: set[int] = set()

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        return (192, 320)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        self.entered.set()
        self.gate.wait(10)
        self.calls += 1
        self.threads.add(threading.get_ident())
        return [self._find(image) for image in images]

    def _find(self, image: Image) -> Detections:
        rows, columns = np.nonzero(image[..., 1] > 180)
        if not len(rows):
            return Detections.empty()
        box = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
        return Detections(np.array(box, np.float32), np.array([0.9], np.float32), np.array([1], np.int32))

    def close(self) -> None:
        self.closed = True
        self.gate.set()


class Camera(MediaStreamTrack):
    """Gives out the frames it is handed."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._frames: asyncio.Queue[VideoFrame | None] = asyncio.Queue()

    def show(self, pts: int, x: int | None = 200, size: tuple[int, int] = SIZE) -> VideoFrame:
        frame = picture(x, size)
        frame.pts, frame.time_base = pts, TIME_BASE
        self._frames.put_nowait(frame)
        return frame

    def end(self) -> None:
        self._frames.put_nowait(None)

    async def recv(self) -> VideoFrame:
        frame = await self._frames.get()
        if frame is None:
            raise MediaStreamError
        return frame


class Tone(MediaStreamTrack):
    """A tone of 440 Hz at half scale, as fast as it is read, at most at its own pace."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._pts = 0

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(0.02)
        if self.readyState != "live":
            raise MediaStreamError
        at = (self._pts + np.arange(960)) / 48_000
        samples = (16_384 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.pts, frame.sample_rate, frame.time_base = self._pts, 48_000, Fraction(1, 48_000)
        self._pts += 960
        return frame


class Film:
    """A server-side source: a bright rectangle on its way, and a tone."""

    failure = None

    def __init__(self, frames: int | None = None, *, silent: bool = False) -> None:
        self.video = Camera()
        self.audio = None if silent else Tone()
        self.closed = False
        self._frames = frames
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        n = 0
        while self._frames is None or n < self._frames:
            self.video.show(n * 3000, x=100 + n % 400)
            n += 1
            await asyncio.sleep(1 / 30)
        self.video.end()

    async def close(self) -> None:
        self.closed = True
        self._running.cancel()
        self.video.stop()
        if self.audio is not None:
            self.audio.stop()


async def open_film() -> Film:
    """A film that does not end."""
    return Film()


async def open_silent_film() -> Film:
    """One that has no sound."""
    return Film(silent=True)


async def open_short_film() -> Film:
    """A film of a second."""
    return Film(frames=30)


async def open_nothing() -> Film:
    """A source that is not there."""
    raise SourceUnreachable("the film is lost")


def picture(x: int | None, size: tuple[int, int] = SIZE) -> VideoFrame:
    width, height = size
    image = np.full((height, width, 3), 30, np.uint8)
    if x is not None:
        image[100:200, x : x + 60] = 230
    return VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
