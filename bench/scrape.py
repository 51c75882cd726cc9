"""A server's own numbers, from its `/metrics`."""

from __future__ import annotations

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

LAG = "vedette_loop_lag_seconds"
FRAMES = "vedette_frames_total"
DROPS = "vedette_drops_total"
TASKS = "vedette_asyncio_tasks"


class Scrape:
    """The samples of one moment."""

    def __init__(self, text: str) -> None:
        self._samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    @classmethod
    async def of(cls, url: str) -> Scrape:
        """Ask a server now."""
        async with aiohttp.ClientSession(raise_for_status=True) as http, http.get(f"{url}/metrics") as answer:
            return cls(await answer.text())

    def value(self, name: str, **labels: str) -> float | None:
        """The first sample of this name that has these labels, or None."""
        for sample in self._samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
        return None

    def by(self, name: str, label: str) -> dict[str, float]:
        """Every sample of this name by one of its labels."""
        return {s.labels[label]: float(s.value) for s in self._samples if s.name == name and label in s.labels}
