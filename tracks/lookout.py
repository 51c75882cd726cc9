"""The newest picture of a track, detected whenever the detector is free; those that come meanwhile are skipped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from av import VideoFrame

from .detect import Detector
from .errors import Overloaded, VedetteError
from .frames import Letterbox, letterbox
from .stats import Stats
from .ticket import Ticket
from .types import Detections, Image
from .worker import Worker

logger = logging.getLogger(__name__)

LOOKING = 2
"""One picture is with the detector, and one request waits behind it: the detector then never idles for our sake."""

MAX_WAITING = 4
"""Pictures with tickets; their senders withdraw older ones long before."""

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
    ticket: Ticket | None = None
    """What its sender calls it, if it waits for an answer."""


@dataclass(slots=True)
class _Look:
    """One turn at the detector. `picture` is set on the worker's thread when the turn comes, unless it is `over`."""

    picture: Picture | None = None
    box: Letterbox | None = None
    started_s: float = 0.0
    over: bool = False


class _Nothing(Exception):
    """There was no picture when the detector's turn came."""


class Lookout:
    """A slot for the newest picture, and the loop that has it detected.

    A picture that comes with a ticket does not replace the one before: they are detected in turn, and their sender
    sees to it that few wait.

    `max_rate_hz` is asked anew for each picture: detections a second at most, 0 for as many as the detector can.
    Called on the event loop, each picture that was shown being given to either `found` or `lost` once:
    `found(picture, detections, seconds, labels)` with boxes in pixels of the picture; `lost(picture, where)`, where
    being the name under which it is to be counted; and `failed` with what went wrong.
    """

    def __init__(
        self,
        worker: DetectorWorker,
        max_rate_hz: Callable[[], float],
        stats: Stats,
        found: Callable[[Picture, Detections, float, Sequence[str]], None],
        lost: Callable[[Picture, str], None],
        failed: Callable[[VedetteError], None],
    ) -> None:
        self.worker = worker
        self._max_rate_hz = max_rate_hz
        self._stats = stats
        self._found = found
        self._lost = lost
        self._failed = failed
        self._slot = threading.Lock()
        self._waiting: deque[Picture] = deque()
        self._unclaimed = asyncio.Event()
        self._not_before_s = 0.0
        self._ending = asyncio.Event()
        self._over = False
        stats.queues["detector"] = lambda: len(self._waiting)

    def show(self, picture: Picture) -> None:
        """Make this the picture that is detected next; one that it replaces was never looked at."""
        with self._slot:
            room = MAX_WAITING if picture.ticket is not None else 1
            replaced = [self._waiting.popleft() for _ in range(len(self._waiting) + 1 - room)]
            self._waiting.append(picture)
        for each in replaced:
            self._lost(each, "detector")
        if self._over or self.worker.problem:
            # Nobody will come for it, or nobody knows when: whoever waits for its answer is told so.
            self._lose_waiting("model_unavailable" if self.worker.problem else "detector")
        elif not replaced or picture.ticket is not None:
            self._unclaimed.set()

    def clear(self) -> None:
        """Lose what waits: its source is gone."""
        self._lose_waiting("detector")

    def end(self) -> list[Picture]:
        """Let `run` end once what is with the detector has been found; returns what waited."""
        self._ending.set()
        self._unclaimed.set()
        return self._withdraw()

    async def run(self, after: asyncio.Task[None] | None = None) -> None:
        """Detect until cancelled or told to end. A detector that cannot be had is told of, and asked for again.

        With `after`, begins once that has ended: the run of the lookout before this one, which it owns from now on.
        """
        try:
            if after is not None:
                await after
            while not self._ending.is_set():
                detector = await self._detector()
                if detector is not None:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(LOOKING):
                            group.create_task(self._look_out(detector), name="vision-look")
        finally:
            self._over = True
            self.clear()

    async def _detector(self) -> Detector | None:
        """The detector; None when it was told to end, and when it has to be asked for again."""
        if self.worker.engine is not None:
            return self.worker.engine
        starting, ending = asyncio.ensure_future(self.worker.start()), asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return None
            try:
                return starting.result()
            except VedetteError as error:
                self._failed(error)
            await asyncio.wait((ending,), timeout=max(ASK_AGAIN_S, self.worker.retry_in_s))
            return None
        finally:
            starting.cancel()
            ending.cancel()

    async def _look_out(self, detector: Detector) -> None:
        while True:
            await self._unclaimed.wait()
            if self._ending.is_set():
                return
            wait_s = self._not_before_s - time.monotonic()
            if wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._ending.wait()
                continue
            if len(self._waiting) < 2:  # the others are looked at by whoever is free first
                self._unclaimed.clear()
            rate_hz = self._max_rate_hz()
            self._not_before_s = time.monotonic() + (1 / rate_hz if rate_hz else 0.0)
            try:
                await self._look(detector)
            except _Nothing:
                pass
            except Exception as error:  # whatever a picture does to the detector, the next one is looked at
                self._give_up(error)

    async def _look(self, detector: Detector) -> None:
        """Have the picture detected that is the newest when the detector's turn comes."""
        look = _Look()

        def take() -> Image:
            """On the worker's thread, right before the detector runs."""
            with self._slot:
                picture = None if look.over else self._next()
                look.picture = picture
            if picture is None:
                raise _Nothing
            frame = picture.frame
            image, look.box = letterbox(frame, detector.input_size(frame.width, frame.height))
            look.started_s = time.monotonic()
            return image

        try:
            detections = await self.worker.submit(take)
        except _Nothing:
            return
        except BaseException as error:
            with self._slot:
                look.over = True
                # A request that was refused never came to take a picture: the one that waits for it goes with it.
                picture = look.picture or self._next()
            if picture is not None:
                self._lost(picture, _where(error))
            raise
        picture, box = look.picture, look.box
        assert picture is not None
        assert box is not None
        infer_s = time.monotonic() - look.started_s
        self._stats.frames_detected += 1
        self._stats.observe("infer", infer_s)
        found = detections.moved(box.to_source(detections.xyxy))
        try:
            self._found(picture, found, infer_s, detector.info.labels)
        except Exception:
            self._lost(picture, "internal")
            raise

    def _next(self) -> Picture | None:
        """The oldest that waits and is still wanted. Call with `_slot` held."""
        while self._waiting:
            picture = self._waiting.popleft()
            if picture.ticket is None or picture.ticket.claim():
                return picture
        return None

    def _lose_waiting(self, where: str) -> None:
        self._unclaimed.clear()
        for picture in self._withdraw():
            self._lost(picture, where)

    def _withdraw(self) -> list[Picture]:
        with self._slot:
            waiting = list(self._waiting)
            self._waiting.clear()
        return waiting

    def _give_up(self, error: Exception) -> None:
        """Tell why a picture could not be looked at."""
        if not isinstance(error, VedetteError):
            logger.error("a picture could not be looked at", exc_info=error)
        elif not isinstance(error, Overloaded):
            self._failed(error)


def _where(error: BaseException) -> str:
    """What a picture that was lost to an error is counted as."""
    if isinstance(error, asyncio.CancelledError):
        return "detector"
    return error.code if isinstance(error, VedetteError) else "internal"
