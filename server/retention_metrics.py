"""Numbers of the kept events for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .retention import Retention


class RetentionNumbers(Collector):
    """What events take, and how many have gone."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention

    def describe(self) -> Iterable[Metric]:
        """Nothing: what `collect` gives is enough."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series of one scrape."""
        yield GaugeMetricFamily(
            "vedette_events_bytes",
            "Room that events take, looked at once a minute.",
            value=self._retention.bytes,
        )
        yield CounterMetricFamily(
            "vedette_events_removed", "Events removed for their age or to make room.", value=self._retention.removed
        )
