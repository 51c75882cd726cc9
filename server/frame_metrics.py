"""Numbers of the pictures that clients sent, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .frames import Frames


class FrameNumbers(Collector):
    """How many were looked at, and how many were not."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames

    def describe(self) -> Iterable[Metric]:
        """Nothing: what `collect` gives is enough."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series of one scrape."""
        frames = self._frames
        yield CounterMetricFamily(
            "vedette_single_frames", "Single pictures that clients sent and that were looked at.", value=frames.looked
        )
        yield CounterMetricFamily(
            "vedette_single_frames_refused",
            "Single pictures for which there was no room or no turn of the detector.",
            value=frames.refused,
        )
        yield GaugeMetricFamily(
            "vedette_single_frames_under_way", "Single pictures that are worked on now.", value=frames.at_once
        )
