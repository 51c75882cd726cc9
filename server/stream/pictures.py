"""Annotated pictures out: the newest one whenever the connection has room, as JPEG."""

from __future__ import annotations

import asyncio
import contextlib

from aiortc.mediastreams import MediaStreamError

from signaling.delivery import Gone
from signaling.messages import Pictures
from tracks.vision import Shown

from ..session import LiveSession
from .outbox import Outbox
from .prints import Prints


class PictureSender:
    """Sends one client what a session shows, as `how` says at the time; it may be changed at any time."""

    def __init__(self, session: LiveSession, outbox: Outbox, prints: Prints) -> None:
        self.how: Pictures = "none"
        self._session = session
        self._outbox = outbox
        self._prints = prints
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
        shown: Shown | None = None
        with contextlib.suppress(MediaStreamError, Gone):
            while True:
                shown = await self._session.newer(shown)
                if self.how == "binary":
                    await self._outbox.send_bytes(await self._prints.binary(shown))
                else:
                    text = await self._prints.text(shown)
                    await self._outbox.send_text(text, deflate=False)  # JPEGs do not get smaller
