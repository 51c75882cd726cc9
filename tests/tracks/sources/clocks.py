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


class SteppedClock:
    """Stands still until it is moved, and wakes those whose time has come: for several who wait at once."""

    def __init__(self) -> None:
        self._now_s = 1000.0
        self._moved = asyncio.Condition()

    def pace(self) -> Pace:
        return Pace(lambda: self._now_s, self._sleep)

    async def move(self, seconds: float) -> None:
        async with self._moved:
            self._now_s += seconds
            self._moved.notify_all()

    async def _sleep(self, seconds: float) -> None:
        until_s = self._now_s + seconds - 1e-9
        async with self._moved:
            await self._moved.wait_for(lambda: self._now_s >= until_s)
