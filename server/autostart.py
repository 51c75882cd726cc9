"""Cameras that are to be watched all the time: each has a session, after a restart and after a failure, too."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from tracks.errors import VedetteError

from . import store
from .cameras import CameraOptions, newest_on
from .sessions import LiveSessions

logger = logging.getLogger(__name__)

LOOK_S = 5.0
AGAIN_S = 60.0
"""Between two sessions of one camera: one that has failed would fail again at once."""


class Autostart:
    """Looks every few seconds, and when it is told that something has changed."""

    def __init__(self, sources: store.Sources, live: LiveSessions, now: Callable[[], float] = time.monotonic) -> None:
        self._sources = sources
        self._live = live
        self._now = now
        self._started_s: dict[str, float] = {}
        self._changed = asyncio.Event()

    def changed(self, source_id: str) -> None:
        """A source was made, or is to be reached otherwise: look at once."""
        self._started_s.pop(source_id, None)
        self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._changed.clear()
            try:
                await self._look()
            except VedetteError as error:  # the database is away, or there are too many sessions
                logger.warning("cameras that are to be watched cannot be started: %s", error.message)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        wanted = [each for each in await self._sources.of_kind("rtsp") if CameraOptions.of(each).autostart]
        self._started_s = {each.id: self._started_s[each.id] for each in wanted if each.id in self._started_s}
        for source in wanted:
            since_s = self._now() - self._started_s.get(source.id, -AGAIN_S)
            if since_s >= AGAIN_S and newest_on(self._live, source.id) is None:
                self._started_s[source.id] = self._now()
                session = await self._live.create(source.id, ["vision"], None, None, None)
                logger.info("camera %s is watched again: session %s", source.id, session.row.id)
