"""How late the event loop runs: whatever blocks it delays every frame of every session by as much."""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np

INTERVAL_S = 0.05
"""Between ticks. 20 wake-ups a second cost under 0.1 % of a core."""
WINDOW = 1200
"""How many ticks are kept: one minute."""


class LoopLag:
    """Owns a task that is due every `interval_s` and notes how late it was woken. Use on the event loop.

    Ticks are due at fixed times. One stall that covers many of them counts for each, as a frame that had arrived then
    would have waited: measuring from one wake-up to the next would count a stall of a second as a single late tick.
    """

    def __init__(self, interval_s: float = INTERVAL_S, window: int = WINDOW) -> None:
        self._interval_s = interval_s
        self._lag_s: deque[float] = deque(maxlen=window)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to measure. Safe to call twice."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._measure(), name="loop-lag")

    async def stop(self) -> None:
        """End the task; what was measured stays readable. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def __len__(self) -> int:
        return len(self._lag_s)

    @property
    def p50_ms(self) -> float:
        """Median lateness over the window, in milliseconds; 0 before the first tick."""
        return self._percentile_ms(50)

    @property
    def p99_ms(self) -> float:
        """Lateness that 1 % of the ticks exceed, in milliseconds; 0 before the first tick."""
        return self._percentile_ms(99)

    @property
    def max_ms(self) -> float:
        """The worst lateness of the window, in milliseconds; 0 before the first tick."""
        return max(self._lag_s, default=0.0) * 1e3

    def _percentile_ms(self, percent: float) -> float:
        return float(np.percentile(self._lag_s, percent)) * 1e3 if self._lag_s else 0.0

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._interval_s
        while True:
            await asyncio.sleep(due - loop.time())
            now = loop.time()
            # After a suspended machine wakes up, hours of ticks are due: the window holds only the newest.
            due = max(due, now - self._interval_s * (self._lag_s.maxlen or 0))
            while due <= now:
                self._lag_s.append(now - due)
                due += self._interval_s
