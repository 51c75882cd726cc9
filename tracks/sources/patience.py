"""How long one waits before a camera is tried again, and how often its decoder may fail."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

FIRST_S, MOST_S = 1.0, 30.0
HEALTHY_S = 60.0
"""After so long with pictures, the next failure is a first one again."""
MAX_CRASHES, CRASHES_WITHIN_S = 5, 60.0


class Backoff:
    """Waits that double from 1 s to 30 s, each by its own chance: cameras on one switch come back in turn."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """`chance` gives numbers from 0 to 1."""
        self._chance = chance
        self._failures = 0

    def next(self, healthy_s: float) -> float:
        """Seconds until the next try, after one that gave pictures for so long."""
        self._failures = 0 if healthy_s >= HEALTHY_S else self._failures
        longest_s = min(MOST_S, 1.5 * FIRST_S * (1 << self._failures))
        self._failures = min(self._failures + 1, 10)
        return longest_s * (2 + self._chance()) / 3


class Crashes:
    """Counts those of the last minute."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque(maxlen=MAX_CRASHES + 1)

    def too_many(self, now_s: float) -> bool:
        """One more, now: whether that is one too many."""
        self._at_s.append(now_s)
        return len(self._at_s) > MAX_CRASHES and now_s - self._at_s[0] <= CRASHES_WITHIN_S
