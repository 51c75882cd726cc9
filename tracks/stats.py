"""Counters and latencies of one session: written by the tracks, read by metrics, `metric` events and tests."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

WINDOW = 512
"""How many of the latest latencies of a stage the percentiles are taken from."""


@dataclass(slots=True)
class Stats:
    """A session's numbers. Not thread-safe: call on the event loop."""

    frames_in: int = 0
    frames_detected: int = 0
    frames_out: int = 0
    audio_in: int = 0
    """Frames of sound."""
    reconnects: int = 0
    """Times that a source that went away was looked for again."""
    drops: Counter[str] = field(default_factory=Counter)
    """Frames, packets and events lost, by where they were lost."""
    queues: dict[str, Callable[[], int]] = field(default_factory=dict)
    """Depth of each bounded queue."""
    on_latency: Callable[[str, float], None] | None = None
    """Told of each latency in seconds (for a histogram)."""
    _latency_s: dict[str, deque[float]] = field(default_factory=dict)

    def observe(self, stage: str, seconds: float) -> None:
        """Record how long a stage took for one frame."""
        window = self._latency_s.get(stage)
        if window is None:
            window = self._latency_s[stage] = deque(maxlen=WINDOW)
        window.append(seconds)
        if self.on_latency is not None:
            self.on_latency(stage, seconds)

    def take_latency(self) -> Mapping[str, tuple[float, float]]:
        """(p50, p95) in seconds by stage since the last call; stages without a value are left out."""
        taken = {}
        for stage, window in self._latency_s.items():
            if window:
                p50, p95 = np.percentile(window, (50, 95))
                taken[stage] = (float(p50), float(p95))
                window.clear()
        return taken
