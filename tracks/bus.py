"""The event bus: joins those who make events with those who want them. Subscriptions are bounded and count drops."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

from .events import Event


class Emit(Protocol):
    """Where a session's events go. Stored ones reach the bus after their commit, live ones at once."""

    def __call__(self, event: Event, *, stored: bool) -> None: ...


class Subscription:
    """A bounded view of the bus for one reader: an async iterator that drops its oldest event when it is full."""

    def __init__(
        self,
        matches: Callable[[Event], bool],
        capacity: int,
        unsubscribe: Callable[[Subscription], None],
        on_drop: Callable[[Event], None] | None = None,
    ) -> None:
        self._matches = matches
        self._events: deque[Event] = deque()
        self._capacity = capacity
        self._unsubscribe = unsubscribe
        self._on_drop = on_drop
        self._ready = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Events lost because this reader was too slow."""

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._events.popleft()

    def offer(self, event: Event) -> None:
        """Take an event if it matches; when full, the oldest goes and is counted."""
        if self._closed or not self._matches(event):
            return
        if len(self._events) >= self._capacity:
            lost = self._events.popleft()
            self.dropped += 1
            if self._on_drop is not None:
                self._on_drop(lost)
        self._events.append(event)
        self._ready.set()

    def __len__(self) -> int:
        return len(self._events)

    def close(self) -> None:
        """Stop receiving; events already taken can still be read, then iteration ends. Safe to call twice."""
        self._closed = True
        self._unsubscribe(self)
        self._ready.set()


class EventBus:
    """In-process publish and subscribe. Not thread-safe: call on the event loop."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def publish(self, event: Event) -> None:
        """Offer an event to every subscription; never blocks."""
        for subscription in tuple(self._subscriptions):
            subscription.offer(event)

    def subscribe(
        self,
        session_id: str | None = None,
        kinds: Collection[str] | None = None,
        *,
        stored: bool | None = None,
        capacity: int = 1000,
        on_drop: Callable[[Event], None] | None = None,
    ) -> Subscription:
        """Events of one session (or all), of the given kinds (or all), stored or live only (or both), from now on.

        `on_drop` is given what the reader loses.
        """

        def matches(event: Event) -> bool:
            return (
                (session_id is None or event.session_id == session_id)
                and (kinds is None or event.kind in kinds)
                and (stored is None or (event.seq is not None) == stored)
            )

        subscription = Subscription(matches, capacity, self._subscriptions.discard, on_drop)
        self._subscriptions.add(subscription)
        return subscription
