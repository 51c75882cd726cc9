"""A track whose frames are handed to it, for media that comes in messages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame


class PushedTrack(MediaStreamTrack):
    """Gives out what it is handed, `capacity` frames of which may wait; the oldest is given to `lost` then."""

    def __init__(
        self,
        kind: Literal["video", "audio"],
        capacity: int,
        lost: Callable[[VideoFrame | AudioFrame], None],
    ) -> None:
        super().__init__()
        self.kind = kind
        self._capacity = capacity
        self._lost = lost
        self._frames: deque[VideoFrame | AudioFrame] = deque()
        self._ready = asyncio.Event()
        self._taken = asyncio.Event()

    async def read_out(self) -> None:
        """Wait until nothing waits to be read."""
        while self._frames:
            self._taken.clear()
            await self._taken.wait()

    def push(self, frame: VideoFrame | AudioFrame) -> None:
        """Queue a frame that has a pts and a time base."""
        self._frames.append(frame)
        while len(self._frames) > (self._capacity if self.readyState == "live" else 0):
            self._lost(self._frames.popleft())
        self._ready.set()

    async def recv(self) -> VideoFrame | AudioFrame:
        """The next frame. Raises MediaStreamError when the track has been stopped."""
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        self._taken.set()
        return self._frames.popleft()

    def finish(self) -> None:
        """End the track once what waits has been read."""
        super().stop()
        self._ready.set()

    def stop(self) -> None:
        """End the track; what waits is lost."""
        super().stop()
        while self._frames:
            self._lost(self._frames.popleft())
        self._ready.set()
        self._taken.set()
