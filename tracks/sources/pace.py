"""When the frames of a source that makes its own media are due."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable


class Pace:
    """The clock of one source, for all of its tracks: it starts when the first of them is read.

    Due times are multiples of the frame interval since then, on the monotonic clock, so they do not drift.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._started_s: float | None = None

    def elapsed_s(self) -> float:
        """Seconds since the start, which is the first call."""
        if self._started_s is None:
            self._started_s = self._now()
        return self._now() - self._started_s

    async def until(self, at_s: float) -> None:
        """Wait until `at_s` seconds after the start; return at once when that is past."""
        wait_s = at_s - self.elapsed_s()
        if wait_s > 0:
            await self._sleep(wait_s)


class Beat:
    """The frame numbers of one track: each next one, except that a reader who comes late skips what is past.

    Frames that are late by up to `patience` are still handed out, one right after the other.
    """

    def __init__(self, pace: Pace, rate_hz: int, patience: int = 0) -> None:
        self._pace = pace
        self._rate_hz = rate_hz
        self._patience = patience
        self._last = -1

    def next(self) -> int:
        """The number of the frame to make now."""
        # A hair is added because n / rate * rate may fall short of n.
        due = math.floor(self._pace.elapsed_s() * self._rate_hz + 1e-6)
        self._last = max(self._last + 1, due - self._patience)
        return self._last

    async def due(self) -> None:
        """Wait until the frame that `next` named is due."""
        await self._pace.until(self._last / self._rate_hz)
