"""The way of a stored event: a bounded spool, one transaction a batch, `seq` at commit, the bus; and back by pages."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from tortoise.backends.base.client import BaseDBAsyncClient

from tracks.errors import DatabaseUnavailable, InvalidRequest, NotFound, VedetteError
from tracks.events import Event

from . import event_rows, event_search
from .database import Database, Rejected

SPOOL_EVENTS = 10_000
"""Events kept while the database is away."""
BATCH_EVENTS = 200
"""Making 500 rows holds the event loop, and with it the media, for 17 ms; 200 for 7 ms, at the same cost an event."""
BATCH_INTERVAL_S = 0.05
"""Least time between the starts of two commits; an event after a quiet time is committed at once."""
BACKOFF_S = (0.1, 5.0)
"""First and longest wait before a failed commit is tried again, doubled in between."""
CLOSE_TIMEOUT_S = 5.0
PAGE_EVENTS = 1000

log = logging.getLogger(__name__)


class _Entry(NamedTuple):
    event: Event
    epoch: int


class EventLog:
    """Stores events in the order of `append` and publishes each after its commit. Call on the event loop.

    Nothing is stored twice: after a commit that failed, its events are looked up by id before they are tried again.
    """

    def __init__(self, database: Database, publish: Callable[[Event], None], capacity: int = SPOOL_EVENTS) -> None:
        self._database = database
        self._publish = publish
        self._capacity = capacity
        self._spool: deque[_Entry] = deque()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._moved = asyncio.Condition()
        self._accepted = 0
        self._settled = 0
        self._lost = 0
        self._one_by_one = 0
        self._full = False
        self._closed = False
        self._stale: set[str] = set()
        self.dropped = 0
        """Events not taken because the spool was full or the log closed, or never committed before it closed."""
        self.refused = 0
        """Events the database will never take: of a session it does not know, or that has another owner by now."""
        self.committed = 0
        self.last_error: str | None = None
        """Why the last commit failed; None once one has succeeded."""
        self._writer = asyncio.get_running_loop().create_task(self._write(), name="event-log")

    @property
    def healthy(self) -> bool:
        """False from a failed commit until the next one that succeeds."""
        return self.last_error is None

    @property
    def depth(self) -> int:
        """Events waiting for their commit."""
        return len(self._spool)

    def append(self, event: Event, epoch: int = 1) -> None:
        """Take an event for storage; never blocks. `epoch` is the one under which the caller owns the session."""
        if self._closed or len(self._spool) >= self._capacity:
            self.dropped += 1
            if not self._full:
                self._full = True
                why = "is closed" if self._closed else f"is full ({self._capacity} events)"
                log.error("the event log %s: events are lost from now on", why)
            return
        self._full = False
        self._spool.append(_Entry(event, epoch))
        self._accepted += 1
        self._wake.set()
        if len(self._spool) >= BATCH_EVENTS:
            self._hurry.set()

    async def flush(self) -> None:
        """Wait until every event so far is committed and published (or refused), however long the database is away.

        Raises DatabaseUnavailable when the log was closed before that.
        """
        mark = self._accepted
        if self._spool:
            self._hurry.set()
        async with self._moved:
            await self._moved.wait_for(lambda: self._settled >= mark or self._lost)
        if self._settled < mark:
            raise DatabaseUnavailable(f"{self._lost} events were not stored: {self.last_error}")

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Take no more events, commit what waits, and end after `timeout_s` at the latest. Safe to call twice."""
        self._closed = True
        with contextlib.suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(timeout_s):
                await self.flush()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        if self._spool:
            self._lost = len(self._spool)
            self.dropped += self._lost
            self._spool.clear()
            log.error("%d events were not stored before the end: %s", self._lost, self.last_error)
            async with self._moved:
                self._moved.notify_all()

    async def page(
        self,
        session_id: str,
        after: int = 0,
        limit: int = 100,
        kinds: Collection[str] | None = None,
        since: float | None = None,
        until: float | None = None,
        label: str | None = None,
        q: str | None = None,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Stored events of a session with `seq` > `after`, oldest first, in wire form; and the next page's `after`.

        `kinds` keeps only these; `since` and `until` are Unix seconds on `at`, both included; `label` keeps what shows
        such a thing, `q` what was said with all of these words, the last one being the beginning of a word. The second
        value is None when there are no more events. Raises InvalidRequest for a limit outside 1 to 1000 and for a `q`
        without words; DatabaseUnavailable.
        """
        if not 1 <= limit <= PAGE_EVENTS:
            raise InvalidRequest(f"limit must be 1 to {PAGE_EVENTS}, not {limit}")
        wanted = event_search.Selection(session_id, after, limit + 1, kinds, since, until, label, q)
        found = await self._database.read(lambda client: event_search.find(client, wanted))
        page = [event_rows.wire(row) for row in found[:limit]]
        return page, page[-1]["seq"] if len(found) > limit else None

    async def get(self, event_id: str) -> dict[str, Any]:
        """One stored event in wire form. Raises NotFound, DatabaseUnavailable."""
        row = await self._database.read(lambda client: event_rows.get(client, event_id))
        if row is None:
            raise NotFound(f"no event {event_id!r}")
        return event_rows.wire(row)

    async def _write(self) -> None:
        delay_s = BACKOFF_S[0]
        while True:
            await self._wake.wait()
            began = asyncio.get_running_loop().time()
            size = 1 if self._one_by_one else BATCH_EVENTS
            batch = list(itertools.islice(self._spool, size))
            try:
                stored = await self._database.write(lambda client, batch=batch: self._store(client, batch))  # type: ignore[misc]
            except (Rejected, ValueError, TypeError) as error:
                # One event spoils its batch: find it by storing one at a time.
                if len(batch) > 1:
                    self._one_by_one = len(batch)
                    continue
                log.error("event %s of kind %s cannot be stored: %s", batch[0].event.id, batch[0].event.kind, error)
                stored = []
            except Exception as error:
                self._failed(error)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, BACKOFF_S[1])
                continue
            delay_s = BACKOFF_S[0]
            await self._settle(batch, stored)
            await self._pause(began)

    async def _store(self, client: BaseDBAsyncClient, batch: Sequence[_Entry]) -> list[Event]:
        """Inside a transaction: give out seqs, insert, and return the events that are stored now, in order."""
        seqs: dict[str, int] = {}
        if not self.healthy:
            # The commit that failed may have been done all the same, or even be done later: not while we hold the lock.
            await event_rows.lock_sessions(client, {entry.event.session_id for entry in batch})
            seqs = await event_rows.seqs_of(client, [entry.event.id for entry in batch])
        fresh: defaultdict[tuple[str, int], list[Event]] = defaultdict(list)
        for event, epoch in batch:
            if event.id not in seqs:
                fresh[event.session_id, epoch].append(event)
        shares = [
            event_rows.Share(*key, events, [event.data.wire_text() for event in events])
            for key, events in sorted(fresh.items())
        ]
        numbered: list[event_rows.Numbered] = []
        for share, seq in zip(shares, await event_rows.take_seqs(client, shares), strict=True):
            if seq is not None:
                numbered += map(event_rows.Numbered, share.events, itertools.count(seq), share.data)
            elif share.session_id not in self._stale:
                self._stale.add(share.session_id)
                log.error("events of session %s are refused: it is unknown or no longer in epoch %d", *share[:2])
        await event_rows.insert(client, numbered)
        seqs.update((event.id, seq) for event, seq, _ in numbered)
        return [event.model_copy(update={"seq": seqs[event.id]}) for event, _ in batch if event.id in seqs]

    def _failed(self, error: Exception) -> None:
        if self.healthy:
            log.error("cannot store events, trying again: %s", error, exc_info=not isinstance(error, VedetteError))
        self.last_error = str(error)

    async def _settle(self, batch: Sequence[_Entry], stored: Sequence[Event]) -> None:
        """The batch is committed: it leaves the spool, and is published."""
        if not self.healthy:
            log.info("storing events again, %d are waiting", len(self._spool))
            self.last_error = None
        for _ in batch:
            self._spool.popleft()
        self._one_by_one = max(0, self._one_by_one - len(batch))
        self.committed += len(stored)
        self.refused += len(batch) - len(stored)
        for event in stored:
            try:
                self._publish(event)
            except Exception:
                log.exception("cannot publish event %s", event.id)
        if not self._spool:
            self._wake.clear()
            self._hurry.clear()
        self._settled += len(batch)
        async with self._moved:
            self._moved.notify_all()

    async def _pause(self, began: float) -> None:
        """Let a batch gather, unless a full one waits or somebody waits for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(began + BATCH_INTERVAL_S):
                await self._hurry.wait()
