"""Frames per second, latency and its drift, out of what a client saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FLAT_MS = 10.0
"""The last third's median may be this much above the first third's and still count as flat."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Glass-to-glass latency of one run, in milliseconds, and the rate at which frames came back."""

    fps: float
    p50: float
    p95: float
    p99: float
    first_third_p50: float
    last_third_p50: float
    slope_per_min: float
    """Of a straight line through all frames."""

    @property
    def flat(self) -> bool:
        """True when the last third of the run was no later than the first."""
        return self.last_third_p50 - self.first_third_p50 <= FLAT_MS


def summarise(frames: Sequence[tuple[int, float, float]], began_s: float, ended_s: float) -> Latency:
    """Latency of (number, sent, received) frames; a number that came back twice counts once.

    Raises ValueError without frames in every third of the time.
    """
    once = {number: (sent_s, received_s) for number, sent_s, received_s in reversed(frames)}
    times = np.array(sorted(once.values(), key=lambda pair: pair[1]), np.float64).reshape(-1, 2)
    received_s = times[:, 1]
    latency_ms = (received_s - times[:, 0]) * 1e3
    third_s = (ended_s - began_s) / 3
    first, last = latency_ms[received_s < began_s + third_s], latency_ms[received_s >= ended_s - third_s]
    if not len(first) or not len(last):
        raise ValueError(f"{len(times)} frames came back, and none in the first or the last third of the time")
    p50, p95, p99 = np.percentile(latency_ms, (50, 95, 99))
    slope = np.polyfit((received_s - began_s) / 60, latency_ms, 1)[0]
    return Latency(
        len(times) / (ended_s - began_s),
        float(p50),
        float(p95),
        float(p99),
        float(np.median(first)),
        float(np.median(last)),
        float(slope),
    )
