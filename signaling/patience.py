"""How much of a client is put up with: a rate of messages, and a number of bad ones."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """Lets `rate` things a second through, and `burst` at once."""

    rate: float
    burst: float
    now: Callable[[], float] = time.monotonic
    _level: float = 0.0
    _at: float = 0.0

    def take(self) -> bool:
        """True if one more may pass now."""
        now = self.now()
        self._level = max(0.0, self._level - (now - self._at) * self.rate)
        self._at = now
        if self._level + 1 > self.burst:
            return False
        self._level += 1
        return True


class Strikes:
    """Counts what a client gets wrong; `limit` times within `window_s` is too often."""

    def __init__(self, limit: int, window_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._now = now
        self._at: deque[float] = deque(maxlen=limit)

    def strike(self) -> bool:
        """Count one; True when that is one too many."""
        now = self._now()
        self._at.append(now)
        return len(self._at) == self._at.maxlen and now - self._at[0] < self._window_s
