"""Thumbnails before the events that name them: an `object` event is stored once its picture is, or without it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tracks.bus import Emit
from tracks.events import Event, ObjectData
from tracks.stats import Stats
from tracks.thumbnails import Crop

from .artifacts import Artifact, Artifacts, Caption

HOLD_S = 0.75
"""How long an event waits for its thumbnail at most. Writing one takes some 10 ms, unless the disk is in trouble."""
HELD_EVENTS = 1000
"""Events that wait at most; the oldest then goes at once, without its thumbnail."""


class StoredThumbnail:
    """A thumbnail that is on its way to the disk, or there."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.settled = False
        """Whether it is known how it ended."""
        self.lost = False
        """Whether it could not be stored."""


@dataclass(frozen=True, slots=True)
class _Held:
    event: Event
    waits_for: StoredThumbnail | None
    until_s: float
    """Event loop's clock."""


class ThumbnailedEvents:
    """The way of one session's events to the log, in their order; live ones pass at once. Call on the event loop.

    `keep` begins to store a picture, and an event that names it waits in `emit` until it is durable, with all stored
    events behind it, for `hold_s` at most. An event whose picture is not there by then goes without it: that is counted
    in `stats` as the drop `thumbnail`. Other sessions do not wait.
    """

    def __init__(
        self,
        artifacts: Artifacts,
        session_id: str,
        source_id: str,
        emit: Emit,
        stats: Stats,
        *,
        hold_s: float = HOLD_S,
    ) -> None:
        self._artifacts = artifacts
        self._session_id = session_id
        self._source_id = source_id
        self._emit = emit
        self._stats = stats
        self._hold_s = hold_s
        self._writing: dict[str, StoredThumbnail] = {}
        self._held: deque[_Held] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        stats.queues["thumbnail"] = lambda: len(self._held)

    def keep(self, crop: Crop) -> StoredThumbnail:
        """Begin to store the picture of an object."""
        caption = Caption(self._session_id, self._source_id, "thumbnail", round(crop.media_s, 3))
        thumbnail = StoredThumbnail(caption.id)
        self._writing[caption.id] = thumbnail
        self._artifacts.begin(caption, crop.frame).add_done_callback(self._settled(thumbnail))
        return thumbnail

    def emit(self, event: Event, *, stored: bool) -> None:
        """Send an event on its way."""
        if not stored:
            self._emit(event, stored=False)
            return
        thumbnail = self._writing.get(event.data.thumbnail or "") if isinstance(event.data, ObjectData) else None
        if thumbnail is None and not self._held:
            self._emit(event, stored=True)
            return
        self._idle.clear()
        self._held.append(_Held(event, thumbnail, asyncio.get_running_loop().time() + self._hold_s))
        if len(self._held) > HELD_EVENTS:
            self._let_go()
        self._advance()

    async def flush(self) -> None:
        """Wait until no event is held any more: bounded by `hold_s`."""
        await self._idle.wait()

    def _settled(self, thumbnail: StoredThumbnail) -> Callable[[asyncio.Task[Artifact]], None]:
        def settle(task: asyncio.Task[Artifact]) -> None:
            thumbnail.settled = True
            # The store logs why.
            thumbnail.lost = task.cancelled() or task.exception() is not None
            del self._writing[thumbnail.id]
            self._advance()

        return settle

    def _advance(self) -> None:
        """Let go of what need not wait any longer, and come back for the rest in time."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._held:
            first = self._held[0]
            if first.waits_for is not None and not first.waits_for.settled and loop.time() < first.until_s:
                self._timer = loop.call_at(first.until_s, self._advance)
                return
            self._let_go()
        self._idle.set()

    def _let_go(self) -> None:
        first = self._held.popleft()
        event = first.event
        if first.waits_for is not None and (first.waits_for.lost or not first.waits_for.settled):
            self._stats.drops["thumbnail"] += 1
            event = _without_thumbnail(event)
        self._emit(event, stored=True)


def _without_thumbnail(event: Event) -> Event:
    """The same event; fields that are unset are left out on the wire, so it is made anew of the others."""
    given = {name: getattr(event.data, name) for name in event.data.model_fields_set if name != "thumbnail"}
    return event.model_copy(update={"data": type(event.data)(**given)})
