"""The events of a session that has ended, for those who still want to read them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tracks.bus import Subscription
from tracks.events import Event

from . import store

History = Callable[[str, int, int], Awaitable[Sequence[dict[str, Any]]]]
"""Stored events of a session: (session id, after, limit) -> envelopes, oldest first."""


class Archive:
    """An `EventFeed` of what is stored; nothing more will come."""

    def __init__(self, row: store.Session, history: History) -> None:
        self._row = row
        self._history = history

    def subscribe(self, *, stored: bool, capacity: int, on_drop: Callable[[Event], None] | None = None) -> Subscription:
        """No events."""
        return Subscription(lambda event: False, capacity, lambda subscription: None)

    def describe(self) -> dict[str, Any]:
        """What a client that attaches is told."""
        row = self._row
        return {"sessionId": row.id, "state": row.state, "seq": row.last_seq, "clockOrigin": row.clock_origin}

    async def history(self, after: int, limit: int) -> Sequence[dict[str, Any]]:
        """Stored events with a seq above `after`."""
        return await self._history(self._row.id, after, limit)
