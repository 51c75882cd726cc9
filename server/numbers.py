"""A session's numbers for its `metric` events: rates since the last look, latencies, depths and losses."""

from __future__ import annotations

import time
from collections.abc import Callable

from tracks.events import MetricData, StageLatency
from tracks.stats import Stats

from .looplag import LoopLag
from .metrics import ProcessNumbers


class SessionNumbers:
    """Turns one session's counters into rates; ask about once a second."""

    def __init__(self, process: ProcessNumbers, lag: LoopLag, now: Callable[[], float] = time.monotonic) -> None:
        self._process = process
        self._lag = lag
        self._now = now
        self._before_s = now()
        self._before = (0, 0, 0)

    def __call__(self, stats: Stats) -> MetricData:
        """What happened since the last call."""
        now = self._now()
        elapsed_s = max(now - self._before_s, 1e-6)
        counts = (stats.frames_in, stats.frames_detected, stats.frames_out)
        fps = [round((count - before) / elapsed_s, 1) for count, before in zip(counts, self._before, strict=True)]
        self._before_s, self._before = now, counts
        latency = {
            stage: StageLatency(p50=round(p50 * 1000, 1), p95=round(p95 * 1000, 1))
            for stage, (p50, p95) in stats.take_latency().items()
        }
        return MetricData(
            fps_in=fps[0],
            fps_detected=fps[1],
            fps_out=fps[2],
            latency_ms=latency,
            queues={name: depth() for name, depth in stats.queues.items()},
            drops=dict(stats.drops),
            cpu_percent=self._process.cpu_percent,
            memory_bytes=self._process.memory_bytes,
            loop_lag_ms=round(self._lag.p99_ms, 1),
        )
