"""From one track to many viewers: one reader, a short bounded queue for each, so that nobody holds up anybody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame

from .queued import QueuedTrack
from .stats import Stats


class Relay:
    """Reads `source` as long as it lives and hands each frame to every subscribed track.

    The source is read even when nobody watches, so that detection goes on.
    """

    def __init__(self, source: MediaStreamTrack, stats: Stats) -> None:
        self._source = source
        self._stats = stats
        self._viewers: set[RelayTrack] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def watched(self) -> bool:
        """True while somebody is subscribed."""
        return bool(self._viewers)

    def start(self) -> None:
        """Begin to read the source."""
        self._task = asyncio.create_task(self._run(), name="relay")

    def subscribe(self) -> RelayTrack:
        """A new track with every frame from now on; it ends with the source or when it is stopped."""
        track = RelayTrack(self._source.kind, self._stats, self._viewers.discard)
        self._viewers.add(track)
        return track

    async def close(self) -> None:
        """Stop reading and end every subscribed track."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.end()

    async def _run(self) -> None:
        try:
            while True:
                frame = await self._source.recv()
                assert isinstance(frame, Frame)
                if self._source.kind == "video":
                    self._stats.frames_out += 1
                self.hand_out(frame)
        except MediaStreamError:
            self.end()

    def hand_out(self, frame: Frame) -> None:
        """Give every subscribed track a frame; for one who has read the source already."""
        for viewer in tuple(self._viewers):
            viewer.offer(frame)

    def end(self) -> None:
        """End every subscribed track."""
        for viewer in tuple(self._viewers):
            viewer.stop()


class RelayTrack(QueuedTrack):
    """One viewer's end of a `Relay`."""

    def __init__(self, kind: str, stats: Stats, unsubscribe: Callable[[RelayTrack], None]) -> None:
        super().__init__(kind, self._count)
        self._stats = stats
        self._unsubscribe = unsubscribe

    def stop(self) -> None:
        """End the track: whoever waits in `recv` is told."""
        super().stop()
        self._unsubscribe(self)

    def _count(self) -> None:
        self._stats.drops["viewer" if self.kind == "video" else "audio"] += 1
