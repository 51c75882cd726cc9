"""Ids of what there was, the newest of them: whoever removes something a second time learns that it is gone."""

from __future__ import annotations

from collections.abc import Iterable

MAX_IDS = 10_000
"""About 1 MB. An answer that was lost on its way is asked for again within seconds."""


class RecentIds:
    """A set of ids that forgets the oldest when it is full."""

    def __init__(self, max_ids: int = MAX_IDS) -> None:
        self._max_ids = max_ids
        self._ids: dict[str, None] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._ids

    def add(self, ids: Iterable[str]) -> None:
        """Remember these."""
        self._ids.update(dict.fromkeys(ids))
        while len(self._ids) > self._max_ids:
            del self._ids[next(iter(self._ids))]
