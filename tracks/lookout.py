"""The newest picture of a track, detected whenever the detector is free; those that come meanwhile are skipped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from av import VideoFrame

from .detect import Detector
from .errors import Overloaded, VedetteError
from .frames import Letterbox, letterbox
from .stats import Stats
from .types import Detections, Image
from .worker import Worker

logger = logging.getLogger(__name__)

DetectorWorker = Worker[Detector, Image, Detections]


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame and when it belongs."""

    frame: VideoFrame
    """yuv420p."""
    ticks: int
    """pts on the outgoing track's clock, 90 kHz."""
    source_ticks: int
    """pts that it came with, 90 kHz."""
    media_s: float
    """Seconds on the session clock."""
    arrived_s: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the detector a track may take."""

    max_rate_hz: float
    """Detections a second; 0: as many as the detector can."""
    max_duty: float
    """Share of the time that the detector may be busy for this track."""
    max_age_s: float
    """A picture that has waited this long for the detector is dropped instead."""

    def next_start_s(self, started_s: float, ended_s: float) -> float:
        """When the next detection may begin, after one from `started_s` to `ended_s`."""
        interval_s = 1 / self.max_rate_hz if self.max_rate_hz else 0.0
        return started_s + max(interval_s, (ended_s - started_s) / self.max_duty)


@dataclass(frozen=True, slots=True)
class _Look:
    """A detection under way."""

    picture: Picture
    box: Letterbox
    started_s: float
    answer: asyncio.Future[Detections]


class Lookout:
    """A slot for the newest picture, and the loop that has it detected.

    `limits` is asked anew for each picture. `found(picture, detections, seconds)` is called on the event loop with
    boxes in pixels of the picture, `failed` with what went wrong.
    """

    def __init__(
        self,
        worker: DetectorWorker,
        limits: Callable[[], Limits],
        stats: Stats,
        found: Callable[[Picture, Detections, float], None],
        failed: Callable[[VedetteError], None],
    ) -> None:
        self.labels: Sequence[str] = ()
        """The detector's labels; empty until it is loaded."""
        self._worker = worker
        self._limits = limits
        self._stats = stats
        self._found = found
        self._failed = failed
        self._newest: Picture | None = None
        self._arrived = asyncio.Event()
        stats.queues["detector"] = lambda: int(self._newest is not None)

    def show(self, picture: Picture) -> None:
        """Make this the picture that is detected next; one that it replaces was never looked at, and is counted."""
        if self._newest is not None:
            self._stats.drops["detector"] += 1
        self._newest = picture
        self._arrived.set()

    def clear(self) -> None:
        """Forget the picture that waits: its source is gone."""
        self._newest = None

    async def run(self) -> None:
        """Detect until cancelled, or until the detector turns out not to be had."""
        try:
            detector = await self._worker.start()
        except VedetteError as error:
            self._failed(error)
            return
        self.labels = detector.info.labels
        look: _Look | None = None
        while True:
            try:
                look = look or self._begin(detector, await self._take())
                detections = await look.answer
            except Exception as error:  # whatever a picture does to the detector, the next one is looked at
                self._lost(error)
                look = None
                await asyncio.sleep(0)  # an error that comes at once must not take the loop
                continue
            done, ended_s = look, time.monotonic()
            wait_s = self._limits().next_start_s(done.started_s, ended_s) - ended_s
            # The next picture goes to the detector before this one's answer is dealt with, so that it never idles.
            look = self._begin_if_any(detector) if wait_s <= 0 else None
            self._tell(done, detections, ended_s)
            if wait_s > 0:
                await asyncio.sleep(wait_s)

    async def _take(self) -> Picture:
        while self._newest is None:
            self._arrived.clear()
            await self._arrived.wait()
        picture, self._newest = self._newest, None
        return picture

    def _begin(self, detector: Detector, picture: Picture) -> _Look:
        frame = picture.frame
        # On the event loop: 0.25 ms at 1280x720, less than a thread's turn costs.
        image, box = letterbox(frame, detector.input_size(frame.width, frame.height))
        started_s = time.monotonic()
        return _Look(picture, box, started_s, self._worker.submit(image, timeout_s=self._limits().max_age_s))

    def _begin_if_any(self, detector: Detector) -> _Look | None:
        if self._newest is None:
            return None
        picture, self._newest = self._newest, None
        try:
            return self._begin(detector, picture)
        except Exception as error:
            self._lost(error)
            return None

    def _tell(self, look: _Look, detections: Detections, ended_s: float) -> None:
        infer_s = ended_s - look.started_s
        self._stats.frames_detected += 1
        self._stats.observe("infer", infer_s)
        try:
            self._found(look.picture, detections.moved(look.box.to_source(detections.xyxy)), infer_s)
        except Exception:
            logger.exception("what was found in a picture could not be told")
            self._stats.drops["internal"] += 1

    def _lost(self, error: Exception) -> None:
        """Count a picture that could not be looked at, and tell of it."""
        if isinstance(error, VedetteError):
            self._stats.drops[error.code] += 1
            if not isinstance(error, Overloaded):
                self._failed(error)
        else:
            logger.error("a picture could not be looked at", exc_info=error)
            self._stats.drops["internal"] += 1
