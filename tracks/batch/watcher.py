"""The pictures of a film, looked at one after the other: none is skipped, however long each takes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiortc.mediastreams import VIDEO_CLOCK_RATE
from av import VideoFrame

from ..detect import Detector
from ..errors import Overloaded, VedetteError
from ..frames import Letterbox, letterbox
from ..lookout import LOOKING, DetectorWorker
from ..media.film import Film, show_film
from ..media.info import cut_off, damaged
from ..media.limits import FILM, Limits
from ..media.shown import Played
from ..stats import Stats
from ..track import Tracker
from ..types import Detections, Image
from ..vision import Observation, VisionOptions
from .maker import FilmMaker
from .outlet import Outlet
from .rate import Rate

HELD = 8
"""Pictures at most that wait for the detector, those between them included."""
RETRY_S = 0.1
"""Until a detector that had no room is asked again."""
SETTLE_S = 1.0
"""Of film, after which what was found has to be kept before more is looked at: some ten events, and fewer pictures of
objects than may be under way."""


@dataclass(frozen=True, slots=True)
class _Look:
    frame: VideoFrame
    at_s: float
    answer: asyncio.Task[tuple[Detections, float]] | None
    """Boxes in pixels of the picture, and the seconds that they took; None where it is not looked at."""


class FilmWatcher:
    """Watches one film; every picture that `options` ask for is detected, tracked and told, in order.

    While one picture is with the detector the next waits behind it, and the decoder goes no further than its memory
    does: whoever is slowest sets the pace.
    """

    def __init__(self, worker: DetectorWorker, tracker: Tracker, options: VisionOptions, stats: Stats) -> None:
        self.at_s = 0.0
        """Media time up to which everything is told."""
        self._worker = worker
        self._tracker = tracker
        self._options = options
        self._stats = stats
        self._rate = Rate(options.max_rate_hz)
        self._looks: deque[_Look] = deque()
        self._size: tuple[int, int] | None = None
        self._settled_s = 0.0

    async def run(self, path: Path, outlet: Outlet, maker: FilmMaker | None = None, limits: Limits = FILM) -> None:
        """Watch it to its end; what is seen and heard goes to `maker`, too.

        What of it cannot be decoded is left out, and told of. Raises what `show_film` and the detector raise, and
        UnsupportedMedia when the film ends before the end that it states; what came before has been told then.
        """
        detector = await self._worker.start()
        failure: VedetteError | None = None
        try:
            async with show_film(path, audio=maker is not None, limits=limits) as film:
                try:
                    await self._watch(film, detector, outlet, maker)
                except VedetteError as error:
                    failure = error
                while self._looks:  # also of a film that broke off
                    await self._tell(detector, outlet, maker)
                if failure is not None:
                    raise failure
                self._check(film, outlet)
        finally:
            answers = [look.answer for look in self._looks if look.answer is not None]
            for answer in answers:
                answer.cancel()
            await asyncio.gather(*answers, return_exceptions=True)
            self._looks.clear()

    async def _watch(self, film: Film, detector: Detector, outlet: Outlet, maker: FilmMaker | None) -> None:
        shows_all = maker is not None and self._options.overlay == "smooth"
        async with aclosing(film.parts()) as parts:
            async for part in parts:
                if isinstance(part, Played):
                    if maker is not None:
                        await maker.sound(part)
                    continue
                self._stats.frames_in += 1
                wanted = self._rate.wants(part.at_s)
                if not wanted and not shows_all:
                    part.drop()
                    continue
                frame = part.take()
                answer = asyncio.create_task(self._look(frame, detector), name="batch-look") if wanted else None
                self._looks.append(_Look(frame, part.at_s, answer))
                while self._is_enough():
                    await self._tell(detector, outlet, maker)

    def _is_enough(self) -> bool:
        """Whether the oldest picture is to be told of before another is taken."""
        if not self._looks:
            return False
        looking = sum(look.answer is not None for look in self._looks)
        return self._looks[0].answer is None or looking >= LOOKING or len(self._looks) >= HELD

    async def _look(self, frame: VideoFrame, detector: Detector) -> tuple[Detections, float]:
        """Have a picture detected, whenever there is room for it."""
        started_s = 0.0
        box: Letterbox | None = None

        def take() -> Image:
            """On the worker's thread, right before the detector runs."""
            nonlocal started_s, box
            image, box = letterbox(frame, detector.input_size(frame.width, frame.height))
            started_s = time.monotonic()
            return image

        while True:
            try:
                found = await self._worker.submit(take)
            except Overloaded:
                await asyncio.sleep(RETRY_S)
                continue
            assert box is not None
            return found.moved(box.to_source(found.xyxy)), time.monotonic() - started_s

    async def _tell(self, detector: Detector, outlet: Outlet, maker: FilmMaker | None) -> None:
        """Tell of the oldest picture, and have it written with its own boxes; where it was not looked at, with those of
        the one before, moved to its time."""
        look, labels = self._looks.popleft(), detector.info.labels
        self._resized((look.frame.width, look.frame.height))
        if look.answer is None:
            shown = self._tracker.predict(look.at_s, self._size)
        else:
            shown = await self._found(look, look.answer, labels, outlet)
        if maker is not None:
            await maker.picture(look.frame, shown, labels)

    async def _found(
        self, look: _Look, answer: asyncio.Task[tuple[Detections, float]], labels: Sequence[str], outlet: Outlet
    ) -> Detections:
        """What the detector found in a picture, told."""
        try:
            found, infer_s = await answer
        except asyncio.CancelledError:
            answer.cancel()
            raise
        self._stats.frames_detected += 1
        self._stats.observe("infer", infer_s)
        frame, ticks = look.frame, round(look.at_s * VIDEO_CLOCK_RATE)
        tracked = self._tracker.update(self._wanted(found, labels), look.at_s)
        outlet.observe(Observation(frame, frame.width, frame.height, ticks, ticks, look.at_s, infer_s, tracked, labels))
        self.at_s = look.at_s
        if self.at_s - self._settled_s >= SETTLE_S:
            self._settled_s = self.at_s
            await outlet.settle()
        return tracked

    def _resized(self, size: tuple[int, int]) -> None:
        """Tracks live on when the picture gets another size."""
        if self._size is not None and size != self._size:
            self._tracker.rescale(size[0] / self._size[0], size[1] / self._size[1])
        self._size = size

    def _wanted(self, found: Detections, labels: Sequence[str]) -> Detections:
        """Only the classes that the session asked for."""
        classes = self._options.classes
        if classes is None:
            return found
        return found.select(np.isin(found.class_id, [index for index, name in enumerate(labels) if name in classes]))

    def _check(self, film: Film, outlet: Outlet) -> None:
        """Tell what of the film was left out."""
        ending = film.ending
        assert ending is not None
        self._stats.drops["damaged"] += ending.damaged
        if ending.damaged:
            outlet.on_error(damaged("picture", ending.damaged))
        if ending.cut_off:
            raise cut_off(ending, film.info.duration_s)
