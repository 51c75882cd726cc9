"""A track that is handed its frames, with a short queue: its reader holds up nobody, and loses the oldest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame

QUEUE_FRAMES = {"video": 2, "audio": 50}
"""Frames that wait at most: with live media late is worse than lost. Sound that is lost is heard, so a second of it may
wait."""


class QueuedTrack(MediaStreamTrack):
    """Gives out what it was offered. `lost` is called for each frame that its reader was too slow for."""

    def __init__(self, kind: str, lost: Callable[[], None]) -> None:
        super().__init__()
        self.kind = kind
        self._lost = lost
        self._frames: deque[Frame] = deque()
        self._ready = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        """Queue a frame; the oldest is lost, and counted, when the reader does not keep up."""
        if len(self._frames) >= QUEUE_FRAMES[self.kind]:
            self._frames.popleft()
            self._lost()
        self._frames.append(frame)
        self._ready.set()

    async def recv(self) -> Frame:
        """The next frame. Raises MediaStreamError when the track has ended and the last frame was taken."""
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        return self._frames.popleft()

    def stop(self) -> None:
        """End the track: whoever waits in `recv` is told."""
        super().stop()
        self._ready.set()
