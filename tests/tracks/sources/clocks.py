"""A clock for sources that only moves when it is told to, or when somebody waits for it."""

from __future__ import annotations

import asyncio

from tracks.sources.pace import Pace


class ManualClock:
    """Waiting moves the time on at once, so a test of an hour takes no time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def pace(self) -> Pace:
        return Pace(lambda: self.now_s, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)
