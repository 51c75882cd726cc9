"""Old events go: by age, and the oldest first when all take more room than they may.

Events of a session go from its beginning, so that what is left has no holes. They go by the hundred, with a pause after
each transaction that leaves the database to others most of the time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from tracks.errors import VedetteError

from . import event_rows
from .database import Database

INTERVAL_S = 60.0
BATCH_EVENTS = 200
"""Removed in one transaction, which takes 5 to 10 ms: events that come meanwhile wait for it."""
SHARE = 0.2
"""Of the time, at most, in which the database is kept busy."""
MIN_PAUSE_S = 0.01
KEPT_S = 600.0
"""Events younger than this stay, however much room they take: somebody who was cut off may come back for them."""

log = logging.getLogger(__name__)


class Retention:
    """Owns the task that removes old events. Call on the event loop."""

    def __init__(
        self,
        database: Database,
        max_age_s: float | None,
        max_bytes: int | None,
        *,
        interval_s: float = INTERVAL_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        """None removes nothing for that reason. `max_bytes` is what `event_rows.EVENT_BYTES` and the data come to."""
        self._database = database
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._interval_s = interval_s
        self._now = now
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._over = False
        self.removed = 0
        """Events removed since the start."""
        self.bytes = 0
        """What all events took when it was looked at last."""

    def start(self) -> None:
        """Begin with a look at once. Safe to call twice."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="retention")

    async def close(self) -> None:
        """End the task; a transaction that has begun is carried through. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def tidy(self) -> None:
        """Remove all that has to go now. Raises DatabaseUnavailable, StorageFull."""
        if self._max_age_s is not None:
            while await self._remove_oldest(self._now() - self._max_age_s):
                pass
        self.bytes = await self._database.read(event_rows.stored_bytes)
        if self._max_bytes is None:
            return
        while self.bytes > self._max_bytes:
            if not await self._remove_oldest(self._now() - KEPT_S):
                self._tell_over()
                return
            self.bytes = await self._database.read(event_rows.stored_bytes)
        self._over = False

    async def _run(self) -> None:
        while True:
            try:
                await self.tidy()
                self._failing = False
            except Exception as error:
                if not self._failing:
                    self._failing = True
                    known = isinstance(error, VedetteError)
                    log.warning("old events cannot be removed: %s", error, exc_info=not known)
            await asyncio.sleep(self._interval_s)

    async def _remove_oldest(self, before: float) -> bool:
        """Remove some of the oldest events, if they are from before that time; False when none are."""
        oldest = await self._database.read(event_rows.oldest)
        if oldest is None or oldest.at >= before:
            return False
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        session_id = oldest.session_id
        removed = await self._database.write(
            lambda client: event_rows.remove_oldest(client, session_id, before, BATCH_EVENTS)
        )
        self.removed += removed
        took_s = loop.time() - began_s
        await asyncio.sleep(max(MIN_PAUSE_S, took_s * (1 / SHARE - 1)))
        return True

    def _tell_over(self) -> None:
        if not self._over:
            self._over = True
            log.warning(
                "events take %d MB, more than the %d MB they may, and all are younger than %.0f s",
                self.bytes >> 20,
                (self._max_bytes or 0) >> 20,
                KEPT_S,
            )
