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

from .clock import ticks_of
from .draw import annotate
from .errors import VedetteError
from .lookout import DetectorWorker, Lookout, Picture
from .planes import as_yuv420p
from .registry import Overlay
from .relay import Relay
from .stats import Stats
from .ticket import Ticket, ticket_of
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
    ticket: Ticket | None = None
    """What the sender calls the picture, if it waits for an answer."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Shown:
    """A picture that has been handed out, or that it was made from; for reading."""

    frame: VideoFrame
    """yuv420p."""
    media_s: float
    """Seconds on the session clock."""
    ts: float
    """What the sender calls its time; media time where it does not say."""


class MediaClock(Protocol):
    """Tells when, on the session clock, a frame that just arrived was captured."""

    def media_time(self, seconds: float) -> float:
        """Media time of the frame whose pts is `seconds`."""


class VisionTrack(MediaStreamTrack):
    """The annotated track of one session.

    `attach` gives it a source, and another when a publisher returns; pts then go on from where they were. With
    `on_source_ended` the track outlives its source and tells so, else it ends with it. `observe` is called on the event
    loop with every detected frame, `on_error` once for each way of failing in a row. A frame with a `Ticket` is settled
    once, whatever becomes of it.
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
        self.raw = Relay(self, stats)  # for those who want nothing drawn on the picture
        self.paused = False
        """While it is, every frame is handed out as it came, and none is looked at."""
        self._tracker = tracker
        self._stats = stats
        self._observe = observe
        self._on_error = on_error
        self._on_source_ended = on_source_ended
        self._lookout = self._look_with(worker)
        self._labels: Sequence[str] = ()
        """What the tracker's class ids mean."""
        self._raw: Shown | None = None
        self._annotated: Shown | None = None
        self._output: deque[VideoFrame] = deque()
        self._produced = asyncio.Event()
        self._newer = asyncio.Event()
        """Set, and replaced, with every annotated picture."""
        self._reader: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._last_ticks: int | None = None
        self._shown_ticks: int | None = None
        """pts of the newest annotated frame: where `smooth` becomes `exact`, one that is looked at may be older."""
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

    def detect_with(self, worker: DetectorWorker, confidence: float) -> None:
        """Have frames looked at by this worker, which is ready, from the next one on. Call on the event loop.

        Boxes of `confidence` and above are shown from now on. What the worker before has begun, it finishes first.
        Tracks go on where both models have their label.
        """
        self._tracker.retune(confidence)
        before = self._lookout
        if worker is before.worker:
            return
        self._lookout = self._look_with(worker)
        for waiting in before.end():
            self._lookout.show(waiting)
        if self._watcher is not None:
            self._watcher = asyncio.create_task(self._lookout.run(after=self._watcher), name="vision-watch")

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

    def untouched(self) -> VideoFrame | None:
        """The newest picture as it came in."""
        return None if self._raw is None else self._raw.frame

    async def newer(self, than: Shown | None) -> Shown:
        """The newest annotated picture, once it is another one. Raises MediaStreamError when the track has ended."""
        while self._annotated is None or self._annotated is than:
            if self.readyState != "live":
                raise MediaStreamError
            await self._newer.wait()
        return self._annotated

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
        self._newer.set()
        self.raw.end()

    def _look_with(self, worker: DetectorWorker) -> Lookout:
        return Lookout(worker, lambda: self.options.max_rate_hz, self._stats, self._found, self._lose, self._fail)

    async def _read(self, source: MediaStreamTrack, clock: MediaClock) -> None:
        offset: int | None = None
        try:
            while True:
                frame = await source.recv()
                if not isinstance(frame, VideoFrame) or frame.pts is None or frame.time_base is None:
                    continue
                arrived_s = time.monotonic()
                source_ticks = ticks_of(frame)
                media_s = clock.media_time(source_ticks / VIDEO_CLOCK_RATE)
                if offset is None:
                    offset = self._offset(source_ticks, media_s)
                ticket = ticket_of(frame)
                frame, ticks = as_yuv420p(frame), source_ticks + offset
                if offset:
                    frame.pts, frame.time_base = ticks, VIDEO_TIME_BASE
                self._resized((frame.width, frame.height))
                picture = Picture(frame, ticks, source_ticks, media_s, arrived_s, ticket)
                self._last_ticks, self._last_media_s = ticks, media_s
                self._stats.frames_in += 1
                self._raw = _shown(picture)
                frame.pict_type = PictureType.NONE  # as in `_produce`
                self.raw.hand_out(frame)
                self._take(picture)
        except MediaStreamError:
            self._source_ended()

    def _take(self, picture: Picture) -> None:
        """A picture that has come in: to be looked at, and handed out where that need not be waited for."""
        if self.paused:
            self._lose(picture, "paused")
            self._produce(picture, Detections.empty())
            return
        self._lookout.show(picture)
        if self.options.overlay == "smooth" or not self._lookout.worker.ready:
            self._produce(picture, self._tracker.predict(picture.media_s, self._size))

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

    def _found(self, picture: Picture, found: Detections, infer_s: float, labels: Sequence[str]) -> None:
        """The detector's answer for one picture."""
        if self.paused:
            self._lose(picture, "paused")
            return
        self._failing = None
        if labels != self._labels:
            self._tracker.relabel(self._labels, labels)
            self._labels = labels
        tracked = self._track(picture, self._wanted(found))
        if self.options.overlay == "exact" and (self._shown_ticks is None or picture.ticks > self._shown_ticks):
            self._produce(picture, tracked)
        self._observe(
            Observation(
                picture.frame,
                picture.frame.width,
                picture.frame.height,
                picture.ticks,
                picture.source_ticks,
                picture.media_s,
                infer_s,
                tracked,
                labels,
                picture.ticket,
            )
        )
        if picture.ticket is not None:
            picture.ticket.settle(True)

    def _lose(self, picture: Picture, where: str) -> None:
        """A picture will not be detected: it is counted, and whoever waits for its answer is told."""
        self._stats.drops[where] += 1
        if picture.ticket is not None:
            picture.ticket.settle(False)

    def _track(self, picture: Picture, found: Detections) -> Detections:
        """What was found, with track ids. The source may have changed its size since: tracks have the newest."""
        frame = picture.frame
        if self._size is None or (frame.width, frame.height) == self._size:
            return self._tracker.update(found, picture.media_s)
        scale = np.tile(np.divide(self._size, (frame.width, frame.height)), 2).astype(np.float32)
        tracked = self._tracker.update(found.moved(found.xyxy * scale), picture.media_s)
        return tracked.moved(tracked.xyxy / scale)

    def _wanted(self, found: Detections) -> Detections:
        """Only the classes that the session asked for."""
        if self.options.classes is None:
            return found
        wanted = [index for index, label in enumerate(self._labels) if label in self.options.classes]
        return found.select(np.isin(found.class_id, wanted))

    def _produce(self, picture: Picture, shown: Detections) -> None:
        frame = annotate(picture.frame, shown, self._labels)
        frame.pict_type = PictureType.NONE  # the source's own keyframes must not force keyframes of the encoder
        if len(self._output) >= OUTPUT_FRAMES:
            self._output.popleft()
            self._stats.drops["output"] += 1
        self._annotated = _shown(picture, frame)
        self._newer.set()
        self._newer = asyncio.Event()
        self._shown_ticks = picture.ticks
        self._output.append(frame)
        self._produced.set()
        self._stats.observe("frame", time.monotonic() - picture.arrived_s)

    def _fail(self, error: VedetteError) -> None:
        """Tell of an error once, until something worked or it changed."""
        if self._failing != error.code:
            self._failing = error.code
            self._on_error(error)


def _shown(picture: Picture, frame: VideoFrame | None = None) -> Shown:
    ts = picture.media_s if picture.ticket is None else picture.ticket.ts
    return Shown(picture.frame if frame is None else frame, picture.media_s, ts)
