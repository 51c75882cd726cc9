"""A film worked through as fast as the machine can: every picture that is wanted, every word, nothing dropped.

Live media is looked at when there is time, and what is late is dropped. Here whoever is slowest, be it the detector,
the recogniser or the store, sets the pace of all that comes before it, down to the decoder.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path

from ..clock import SessionClock
from ..errors import VedetteError
from ..events import ProgressData, SessionData
from ..stats import Stats
from .listener import FilmListener
from .maker import FilmMaker, Shelf
from .outlet import Outlet
from .watcher import FilmWatcher

__all__ = ["Batch", "FilmListener", "FilmWatcher", "Outlet", "Shelf"]

logger = logging.getLogger(__name__)

PROGRESS_S = 0.5
"""Between two `progress` events."""


class Batch:
    """One film that is worked through, once; picture and sound side by side. A `Source` that has no tracks.

    If one of the two fails, the other is still finished: what can be had of a film is had.
    """

    video = None
    audio = None

    def __init__(
        self, path: Path, duration_s: float, watcher: FilmWatcher | None, listener: FilmListener | None, stats: Stats
    ) -> None:
        """`duration_s`: of the film; `stats` is what the parts count in."""
        self.failure: VedetteError | None = None
        """Why it did not get to the end of the film; the first reason."""
        self._path = path
        self._duration_s = duration_s
        self._watcher, self._listener = watcher, listener
        self._parts = [part for part in (watcher, listener) if part is not None]
        self._done: set[FilmWatcher | FilmListener] = set()
        self._stats = stats
        self.clock = SessionClock(lambda: self.at_s)
        """Media time of what is told: how far the film is done."""
        self._maker: FilmMaker | None = None
        self._began_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    def record(self, shelf: Shelf, size: tuple[int, int], *, sound: bool) -> None:
        """Make a film of it with what is found drawn on it, of this width and height. Call before `start`."""
        self._maker = FilmMaker(shelf, size, sound=sound)

    def start(self, outlet: Outlet) -> None:
        """Begin."""
        self._began_s = time.monotonic()
        self.clock.start()
        self._task = asyncio.create_task(self._run(outlet), name="batch")

    @property
    def at_s(self) -> float:
        """Media time up to which everything is done."""
        return min(self._place(part) for part in self._parts)

    def progress(self) -> ProgressData:
        """How far it is."""
        places = [self._place(part) for part in self._parts]
        share = min(1.0, sum(places) / (len(places) * self._duration_s)) if self._duration_s else 0.0
        took_s = 0.0 if self._began_s is None else time.monotonic() - self._began_s
        return ProgressData(
            share=round(share, 4),
            duration=round(self._duration_s, 3),
            watched=None if self._watcher is None else round(self._place(self._watcher), 3),
            heard=None if self._listener is None else round(self._place(self._listener), 3),
            frames_detected=self._stats.frames_detected,
            speed=round(share * self._duration_s / took_s, 2) if took_s else 0.0,
        )

    def _place(self, part: FilmWatcher | FilmListener) -> float:
        return self._duration_s if part in self._done else min(part.at_s, self._duration_s)

    async def close(self) -> None:
        """Stop, wherever it is; what was told stays. Safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, outlet: Outlet) -> None:
        telling = asyncio.create_task(self._tell(outlet), name="batch-progress")
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts:
                    group.create_task(self._guarded(part, outlet), name="batch-part")
            if self._maker is not None:
                await self._keep(self._maker, outlet)
        finally:
            telling.cancel()
            if self._maker is not None:
                await self._maker.close()
        outlet.end(self.at_s)
        with contextlib.suppress(VedetteError):  # of a store that was closed meanwhile
            await outlet.settle()
        outlet.emit("progress", self.progress(), self.at_s, stored=False)
        outlet.on_over("film")

    async def _guarded(self, part: FilmWatcher | FilmListener, outlet: Outlet) -> None:
        try:
            if isinstance(part, FilmWatcher):
                await part.run(self._path, outlet, self._maker)
            else:
                await part.run(self._path, outlet)
        except FileNotFoundError:
            self._failed(VedetteError("its file is gone"), outlet)
        except VedetteError as error:
            self._failed(error, outlet)
        except Exception:
            logger.exception("a film could not be worked through")
            self._failed(VedetteError("the film could not be worked through"), outlet)
        else:
            self._done.add(part)

    async def _keep(self, maker: FilmMaker, outlet: Outlet) -> None:
        """Keep the film as far as it goes, and tell of it: it is durable before anybody hears of it."""
        try:
            film = await maker.finish()
        except VedetteError as error:
            outlet.on_error(error)
            return
        if film is not None:
            outlet.emit("session", SessionData(state="live", change={"film": film}), self.at_s, stored=True)

    def _failed(self, error: VedetteError, outlet: Outlet) -> None:
        if self.failure is None:
            self.failure = error
        outlet.on_error(error)

    async def _tell(self, outlet: Outlet) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            outlet.emit("progress", self.progress(), self.at_s, stored=False)
