"""Whether a session's media comes."""

from __future__ import annotations

import time

from tracks.stats import Stats

STALL_S = 5.0
"""Without a frame for this long a live session is stalled."""


class Pulse:
    """Told by the counts of pictures and, where there are none, of sound."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._count = 0
        self._at_s = 0.0

    def beats(self) -> bool:
        """Whether something has come since the last call."""
        count = self._stats.frames_in or self._stats.audio_in
        if count == self._count:
            return False
        self._count, self._at_s = count, time.monotonic()
        return True

    @property
    def stopped(self) -> str:
        """Why a session is stalled: nothing has come since long before `beats` was last asked; else empty."""
        if time.monotonic() - self._at_s <= STALL_S:
            return ""
        return f"no {'picture' if self._stats.frames_in else 'sound'} for {STALL_S:g} s"
