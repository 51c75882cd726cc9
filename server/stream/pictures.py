"""Annotated pictures out: the newest one whenever the connection has room, as JPEG, encoded on a thread."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import struct
from concurrent.futures import Executor

from aiortc.mediastreams import MediaStreamError

from signaling import messages
from signaling.delivery import Gone
from signaling.messages import Pictures
from tracks.jpeg import encode_jpeg
from tracks.vision import Shown

from ..session import LiveSession
from .outbox import Outbox

TAG = 129
QUALITY = 80


class PictureSender:
    """Sends one client what a session shows, as `how` says at the time; it may be changed at any time."""

    def __init__(self, session: LiveSession, outbox: Outbox, threads: Executor) -> None:
        self.how: Pictures = "none"
        self._session = session
        self._outbox = outbox
        self._threads = threads
        self._task: asyncio.Task[None] | None = None

    def want(self, how: Pictures) -> None:
        """Send them so from now on."""
        self.how = how
        if how == "none":
            self._stop()
        elif self._task is None:
            self._task = asyncio.create_task(self._run(), name="stream-pictures")

    async def close(self) -> None:
        """Stop, and wait until that is so."""
        task = self._task
        self._stop()
        if task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        shown: Shown | None = None
        with contextlib.suppress(MediaStreamError, Gone):
            while True:
                shown = await self._session.newer(shown)
                if self.how == "binary":
                    await self._outbox.send_bytes(await loop.run_in_executor(self._threads, _binary, shown))
                else:
                    text = await loop.run_in_executor(self._threads, _text, shown)
                    await self._outbox.send_text(text, deflate=False)  # JPEGs do not get smaller


def _binary(shown: Shown) -> bytes:
    """Blocking."""
    return struct.pack("<Bd", TAG, shown.ts) + encode_jpeg(shown.frame, QUALITY)


def _text(shown: Shown) -> str:
    """Blocking."""
    frame = shown.frame
    data = base64.b64encode(encode_jpeg(frame, QUALITY)).decode()
    return messages.encode(
        {"type": "frame", "ts": shown.ts, "data": data, "width": frame.width, "height": frame.height}
    )
