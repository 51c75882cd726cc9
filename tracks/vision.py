"""`VisionTrack`: video in, annotated video out, with what was seen reported beside it.

Three things happen at their own pace: frames are read as they come, the newest one is detected when the detector is
free, and annotated frames are handed out. Nothing waits for the detector except, in `exact` mode, the picture itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError
from av import VideoFrame
from av.video.frame import PictureType

from .draw import annotate
from .errors import VedetteError
from .lookout import DetectorWorker, Lookout, Picture
from .planes import as_yuv420p
from .registry import Overlay
from .stats import Stats
from .track import Tracker
from .types import Detections

OUTPUT_FRAMES = 2
"""Frames that wait for the encoder at most; then the oldest is lost and counted."""


@dataclass(frozen=True, slots=True)
class VisionOptions:
    """How a session watches; may be replaced while it runs and takes effect at the next frame."""

    overlay: Overlay = "smooth"
    """`exact`: every returned frame carries its own detections. `smooth`: every frame is returned, with the newest
    boxes moved to the frame's time."""
    classes: frozenset[str] | None = None
    """Labels to keep; None keeps all."""
    max_rate_hz: float = 0.0
    """Detections a second at most; 0: as many as the detector can."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen in one frame."""

    frame: VideoFrame
    """The source frame, yuv420p, with nothing drawn on it; for reading."""
    width: int
    height: int
    ticks: int
    """pts of the outgoing frame, 90 kHz."""
    source_ticks: int
    """pts that the frame came with, 90 kHz."""
    media_s: float
    """Seconds on the session clock."""
    infer_s: float
    tracked: Detections
    """Boxes in pixels of the source frame, with track ids."""
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that has been handed out, or that it was made from; for reading."""

    frame: VideoFrame
    """yuv420p."""
    media_s: float
    """Seconds on the session clock."""


class MediaClock(Protocol):
    """Tells when, on the session clock, a frame that just arrived was captured."""

    def media_time(self, seconds: float) -> float:
        """Media time of the frame whose pts is `seconds`."""


class VisionTrack(MediaStreamTrack):
    """The annotated track of one session.

    `attach` gives it a source, and another when a publisher returns; pts then go on from where they were. With
    `on_source_ended` the track outlives its source and tells so, else it ends with it. `observe` is called on the event
    loop with every detected frame, `on_error` once for each way of failing in a row.
    """

    kind = "video"

    def __init__(
        self,
        worker: DetectorWorker,
        tracker: Tracker,
        options: VisionOptions,
        stats: Stats,
        *,
        observe: Callable[[Observation], None],
        on_error: Callable[[VedetteError], None] = lambda error: None,
        on_source_ended: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.options = options
        self._worker = worker
        self._tracker = tracker
        self._stats = stats
        self._observe = observe
        self._on_error = on_error
        self._on_source_ended = on_source_ended
        self._lookout = Lookout(worker, lambda: self.options.max_rate_hz, stats, self._found, self._fail)
        self._raw: Shown | None = None
        self._annotated: Shown | None = None
        self._output: deque[VideoFrame] = deque()
        self._produced = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._last_ticks: int | None = None
        self._last_media_s = 0.0
        self._size: tuple[int, int] | None = None
        self._failing: str | None = None
        stats.queues["output"] = lambda: len(self._output)

    def attach(self, source: MediaStreamTrack, clock: MediaClock) -> None:
        """Read frames from `source` from now on, placed on the session clock by `clock`. Call on the event loop."""
        if self._reader is not None:
            self._reader.cancel()
        self._lookout.clear()
        self._reader = asyncio.create_task(self._read(source, clock), name="vision-read")
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._lookout.run(), name="vision-watch")

    async def recv(self) -> VideoFrame:
        """The next annotated frame, with its source frame's pts. Raises MediaStreamError when the track has ended."""
        while not self._output:
            if self.readyState != "live":
                raise MediaStreamError
            self._produced.clear()
            await self._produced.wait()
        return self._output.popleft()

    def newest(self, *, annotated: bool) -> Shown | None:
        """The newest picture, as it was last handed out or as it last came in; None before the first."""
        return self._annotated if annotated else self._raw

    async def close(self) -> None:
        """End the track and wait for its tasks."""
        self.stop()
        for task in (self._reader, self._watcher):
            if task is not None and task is not asyncio.current_task():
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def stop(self) -> None:
        """End the track: whoever waits in `recv` is told."""
        super().stop()
        for task in (self._reader, self._watcher):
            if task is not None:
                task.cancel()
        self._produced.set()

    async def _read(self, source: MediaStreamTrack, clock: MediaClock) -> None:
        offset: int | None = None
        try:
            while True:
                frame = await source.recv()
                if not isinstance(frame, VideoFrame) or frame.pts is None or frame.time_base is None:
                    continue
                arrived_s = time.monotonic()
                source_ticks = _ticks(frame)
                media_s = clock.media_time(source_ticks / VIDEO_CLOCK_RATE)
                if offset is None:
                    offset = self._offset(source_ticks, media_s)
                frame, ticks = as_yuv420p(frame), source_ticks + offset
                if offset:
                    frame.pts, frame.time_base = ticks, VIDEO_TIME_BASE
                self._resized((frame.width, frame.height))
                picture = Picture(frame, ticks, source_ticks, media_s, arrived_s)
                self._last_ticks, self._last_media_s = ticks, media_s
                self._stats.frames_in += 1
                self._raw = Shown(frame, media_s)
                self._lookout.show(picture)
                if self.options.overlay == "smooth" or not self._worker.ready:
                    self._produce(picture, self._tracker.predict(media_s, self._size))
        except MediaStreamError:
            self._source_ended()

    def _offset(self, source_ticks: int, media_s: float) -> int:
        """What to add to a source's pts: nothing for the first; later ones go on where the clock is now."""
        if self._last_ticks is None:
            return 0
        elapsed = max(1, round((media_s - self._last_media_s) * VIDEO_CLOCK_RATE))
        return self._last_ticks + elapsed - source_ticks

    def _resized(self, size: tuple[int, int]) -> None:
        """Tracks live on when the picture gets another size, as browsers do when bandwidth or CPU is short."""
        if self._size is not None and size != self._size:
            self._tracker.rescale(size[0] / self._size[0], size[1] / self._size[1])
        self._size = size

    def _source_ended(self) -> None:
        self._lookout.clear()
        if self._on_source_ended is not None:
            self._on_source_ended()
        else:
            self.stop()

    def _found(self, picture: Picture, found: Detections, infer_s: float) -> None:
        """The detector's answer for one picture."""
        frame = picture.frame
        if (frame.width, frame.height) != self._size:
            self._stats.drops["resized"] += 1
            return
        self._failing = None
        tracked = self._tracker.update(self._wanted(found), picture.media_s)
        if self.options.overlay == "exact":
            self._produce(picture, tracked)
        self._observe(
            Observation(
                frame,
                frame.width,
                frame.height,
                picture.ticks,
                picture.source_ticks,
                picture.media_s,
                infer_s,
                tracked,
                self._lookout.labels,
            )
        )

    def _wanted(self, found: Detections) -> Detections:
        """Only the classes that the session asked for."""
        if self.options.classes is None:
            return found
        wanted = [index for index, label in enumerate(self._lookout.labels) if label in self.options.classes]
        return found.select(np.isin(found.class_id, wanted))

    def _produce(self, picture: Picture, shown: Detections) -> None:
        frame = annotate(picture.frame, shown, self._lookout.labels)
        frame.pict_type = PictureType.NONE  # the source's own keyframes must not force keyframes of the encoder
        if len(self._output) >= OUTPUT_FRAMES:
            self._output.popleft()
            self._stats.drops["output"] += 1
        self._annotated = Shown(frame, picture.media_s)
        self._output.append(frame)
        self._produced.set()
        self._stats.observe("frame", time.monotonic() - picture.arrived_s)

    def _fail(self, error: VedetteError) -> None:
        """Tell of an error once, until something worked or it changed."""
        if self._failing != error.code:
            self._failing = error.code
            self._on_error(error)


def _ticks(frame: VideoFrame) -> int:
    """pts in 90 kHz ticks."""
    assert frame.pts is not None
    assert frame.time_base is not None
    if frame.time_base == VIDEO_TIME_BASE:
        return frame.pts
    return round(frame.pts * frame.time_base * VIDEO_CLOCK_RATE)
