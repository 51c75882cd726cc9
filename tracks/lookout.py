"""The newest picture of a track, detected whenever the detector is free; those that come meanwhile are skipped."""

from __future__ import annotations

import asyncio
import logging
import threading
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

LOOKING = 2
"""One picture is with the detector, and one request waits behind it: the detector then never idles for our sake."""

ASK_AGAIN_S = 0.25
"""At least, until a detector that could not be had is asked for again; its worker says when it is tried again."""

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
class _Taken:
    """A picture that is with the detector."""

    picture: Picture
    box: Letterbox
    started_s: float


class _Nothing(Exception):
    """There was no picture when the detector's turn came."""


class Lookout:
    """A slot for the newest picture, and the loop that has it detected.

    `max_rate_hz` is asked anew for each picture: detections a second at most, 0 for as many as the detector can.
    `found(picture, detections, seconds)` is called on the event loop with boxes in pixels of the picture, `failed` with
    what went wrong.
    """

    def __init__(
        self,
        worker: DetectorWorker,
        max_rate_hz: Callable[[], float],
        stats: Stats,
        found: Callable[[Picture, Detections, float], None],
        failed: Callable[[VedetteError], None],
    ) -> None:
        self.labels: Sequence[str] = ()
        """The detector's labels; empty until it is loaded."""
        self._worker = worker
        self._max_rate_hz = max_rate_hz
        self._stats = stats
        self._found = found
        self._failed = failed
        self._slot = threading.Lock()
        self._newest: Picture | None = None
        self._unclaimed = asyncio.Event()
        self._not_before_s = 0.0
        stats.queues["detector"] = lambda: int(self._newest is not None)

    def show(self, picture: Picture) -> None:
        """Make this the picture that is detected next; one that it replaces was never looked at, and is counted."""
        with self._slot:
            replaced, self._newest = self._newest, picture
        if replaced is None:
            self._unclaimed.set()
        else:
            self._stats.drops["detector"] += 1

    def clear(self) -> None:
        """Forget the picture that waits: its source is gone."""
        with self._slot:
            self._newest = None
        self._unclaimed.clear()

    async def run(self) -> None:
        """Detect until cancelled. A detector that cannot be had is told of, and asked for again and again."""
        detector = await self._detector()
        self.labels = detector.info.labels
        async with asyncio.TaskGroup() as group:
            for _ in range(LOOKING):
                group.create_task(self._look_out(detector), name="vision-look")

    async def _detector(self) -> Detector:
        while True:
            try:
                return await self._worker.start()
            except VedetteError as error:
                self._failed(error)
            await asyncio.sleep(max(ASK_AGAIN_S, self._worker.retry_in_s))

    async def _look_out(self, detector: Detector) -> None:
        while True:
            await self._unclaimed.wait()
            wait_s = self._not_before_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
                continue
            self._unclaimed.clear()
            rate_hz = self._max_rate_hz()
            self._not_before_s = time.monotonic() + (1 / rate_hz if rate_hz else 0.0)
            try:
                await self._look(detector)
            except _Nothing:
                pass
            except Exception as error:  # whatever a picture does to the detector, the next one is looked at
                self._lost(error)

    async def _look(self, detector: Detector) -> None:
        """Have the picture detected that is the newest when the detector's turn comes."""
        taken: list[_Taken] = []

        def take() -> Image:
            """On the worker's thread, right before the detector runs."""
            with self._slot:
                picture, self._newest = self._newest, None
                if picture is None:
                    raise _Nothing
            frame = picture.frame
            image, box = letterbox(frame, detector.input_size(frame.width, frame.height))
            taken.append(_Taken(picture, box, time.monotonic()))
            return image

        detections = await self._worker.submit(take)
        picture, box = taken[0].picture, taken[0].box
        infer_s = time.monotonic() - taken[0].started_s
        self._stats.frames_detected += 1
        self._stats.observe("infer", infer_s)
        self._found(picture, detections.moved(box.to_source(detections.xyxy)), infer_s)

    def _lost(self, error: Exception) -> None:
        """Count a picture that could not be looked at, and tell of it."""
        if isinstance(error, VedetteError):
            self._stats.drops[error.code] += 1
            if not isinstance(error, Overloaded):
                self._failed(error)
        else:
            logger.error("a picture could not be looked at", exc_info=error)
            self._stats.drops["internal"] += 1
