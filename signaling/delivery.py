"""A session's events on their way to one client, whatever carries them: stored ones in order, each once, and live ones.

Stored events that a client missed are read from the database, by pages, before anything newer. Live ones wait in a
short queue from which the oldest is lost, and told of.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from tracks.bus import Subscription
from tracks.errors import DatabaseUnavailable
from tracks.events import Event, LiveCopy
from tracks.stats import Stats

from .losses import Losses

logger = logging.getLogger(__name__)

LIVE_CAPACITY = 64
STORED_CAPACITY = 1000
REPLAY_PAGE = 200
READ_AGAIN_S = 0.5
"""Until the database is asked again when it is away."""
TWIN_S = 0.25
"""How long the live copy of an event waits for its commit where each event is sent once. A commit takes some 10 ms; a
database that is away must not keep an answer."""


class EventFeed(Protocol):
    """What a session offers to those who follow it."""

    def subscribe(self, *, stored: bool, capacity: int, on_drop: Callable[[Event], None] | None = None) -> Subscription:
        """The session's events from now on; `on_drop` is told of those that no longer fit."""

    def describe(self) -> dict[str, Any]:
        """`sessionId`, `state` and `seq` (the last stored event) for `attached`."""

    async def history(self, after: int, limit: int) -> Sequence[dict[str, Any]]:
        """Stored events with a seq above `after`, oldest first, as envelopes."""


class Gone(Exception):
    """The client is not there any more."""


class Wire(Protocol):
    """What carries messages to one client."""

    def say(self, message: dict[str, Any]) -> None:
        """Send a control message, before any event that is sent after this call."""

    async def send(self, event: dict[str, Any], *, live: bool) -> None:
        """Send an event once there is room for it. Raises Gone."""


class Delivery:
    """Everything that one client is sent of a session's events.

    `reads_again`: whether stored events that no longer fitted the queue are read from the database; else they are told
    as a `gap`. `once`: whether an event that is both live and stored is sent once, with its seq.
    """

    def __init__(
        self,
        feed: EventFeed,
        wire: Wire,
        losses: Losses,
        stats: Stats,
        *,
        reads_again: bool = False,
        once: bool = False,
    ) -> None:
        self.kinds: frozenset[str] | None = None
        """Kinds of events that the client wants; None for all. May be replaced at any time."""
        self._feed = feed
        self._wire = wire
        self._losses = losses
        self._stats = stats
        self._reads_again = reads_again
        self._once = once
        self._stored: Subscription | None = None
        self._live: Subscription | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._order = asyncio.Lock()
        self._last_seq = 0
        self._resume_after: int | None = None
        self._caught_up = asyncio.Event()
        self._twins: dict[str, asyncio.TimerHandle] = {}
        self._sent: deque[str] = deque(maxlen=LIVE_CAPACITY)
        """Ids of the latest stored events that were sent: a live copy that comes later is not."""

    def begin(self, after: int | None = None) -> None:
        """Send every stored event above `after`, or from now on, and then what follows."""
        # Subscribed before `seq` is read, so that nothing falls between.
        self._stored = self._feed.subscribe(stored=True, capacity=STORED_CAPACITY)
        self._live = self._feed.subscribe(stored=False, capacity=LIVE_CAPACITY, on_drop=self._drop)
        self._last_seq = int(self._feed.describe()["seq"])
        if after is None:
            self._caught_up.set()
        else:
            self.resume(after)
        self._spawn(self._send_stored(self._stored))
        self._spawn(self._send_live(self._live))

    def resume(self, after: int) -> None:
        """Send every stored event above `after` again, before anything newer."""
        self._resume_after = after
        self._spawn(self._replay())

    @property
    def wanted(self) -> list[str] | None:
        """The kinds, as a reply tells them."""
        return None if self.kinds is None else sorted(self.kinds)

    async def caught_up(self) -> None:
        """Wait until everything up to now has been sent."""
        await self._caught_up.wait()

    @property
    def idle(self) -> bool:
        """Whether every stored event so far has been handed over."""
        waiting = self._stored is not None and len(self._stored)
        return not (waiting or self._order.locked() or self._resume_after is not None)

    async def close(self) -> None:
        """Stop sending, and wait until that is so."""
        for subscription in (self._stored, self._live):
            if subscription is not None:
                subscription.close()
        for timer in self._twins.values():
            timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            with contextlib.suppress(Gone):
                await work

        task = asyncio.create_task(run(), name="event-delivery")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_stored(self, subscription: Subscription) -> None:
        async for event in subscription:
            async with self._order:
                await self._catch_up()
                seq = event.seq
                assert seq is not None
                if self._reads_again and seq > self._last_seq + 1:
                    await self._read_on(seq)
                await self._send_in_order(event.wire())

    async def _send_in_order(self, event: dict[str, Any]) -> None:
        """Send a stored event unless it was sent, and tell of those that can no longer come."""
        seq = event["seq"]
        if seq <= self._last_seq:
            return
        self._skip_to(seq)
        self._last_seq = seq
        if self._once:
            self._sent.append(event["id"])
            if twin := self._twins.pop(event["id"], None):
                twin.cancel()
        if self._wants(event["kind"]):
            await self._wire.send(event, live=False)

    def _skip_to(self, seq: int) -> None:
        """Tell of stored events below `seq` that have not been sent, if there are."""
        if seq > self._last_seq + 1:
            self._wire.say({"type": "gap", "from": self._last_seq + 1, "to": seq - 1})
            self._last_seq = seq - 1

    async def _send_live(self, subscription: Subscription) -> None:
        await self._caught_up.wait()
        async for event in subscription:
            if event.id in self._sent or not self._wants(event.kind):
                continue
            if self._once and isinstance(event, LiveCopy):
                self._twins[event.id] = asyncio.get_running_loop().call_later(TWIN_S, self._wait_no_more, event)
            else:
                await self._wire.send(event.wire(), live=True)

    def _wait_no_more(self, event: LiveCopy) -> None:
        """The commit takes too long: the live copy goes after all."""
        del self._twins[event.id]
        assert self._live is not None
        self._live.offer(event.alone())

    def _drop(self, event: Event) -> None:
        if self._wants(event.kind):
            self._stats.drops["event"] += 1
            self._losses.add("event", getattr(event.data, "frame_ts", None))

    def _wants(self, kind: str) -> bool:
        return self.kinds is None or kind in self.kinds

    async def _replay(self) -> None:
        async with self._order:
            await self._catch_up()

    async def _catch_up(self) -> None:
        """Send what the client said it has missed, if it did, before anything newer. Call with `_order` held."""
        if self._resume_after is None:
            return
        newest = self._last_seq
        self._last_seq = min(newest, self._resume_after)
        await self._read_on(None)
        self._skip_to(newest + 1)  # the rest was removed for its age, or to make room
        self._resume_after = None
        self._caught_up.set()

    async def _read_on(self, until: int | None) -> None:
        """Send what the database has above the last one that was sent, below `until` if given."""
        while until is None or self._last_seq < until - 1:
            try:
                page = await self._feed.history(self._last_seq, REPLAY_PAGE)
            except DatabaseUnavailable as error:
                logger.info("stored events cannot be read now: %s", error)
                await asyncio.sleep(READ_AGAIN_S)
                continue
            for event in page:
                await self._send_in_order(event)
            if not page:
                return
