"""Numbers of the artifacts for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .artifacts import KINDS, Artifacts


class ArtifactNumbers(Collector):
    """How many there are, how large they are, and what was lost."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    def describe(self) -> Iterable[Metric]:
        """Nothing: what `collect` gives is enough."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series of one scrape."""
        artifacts = self._artifacts
        count = GaugeMetricFamily("vedette_artifacts", "Artifacts that are kept.", labels=["kind"])
        for kind in KINDS:
            count.add_metric([kind], artifacts.counts[kind])
        yield count
        yield GaugeMetricFamily("vedette_artifacts_bytes", "Bytes of all artifacts.", value=artifacts.bytes)
        yield CounterMetricFamily(
            "vedette_artifacts_removed", "Artifacts removed to make room for newer ones.", value=artifacts.removed
        )
        yield CounterMetricFamily(
            "vedette_artifacts_failed", "Artifacts that could not be stored.", value=artifacts.failed
        )
