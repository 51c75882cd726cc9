"""What goes out on one connection: control messages, events and pictures, one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from signaling import messages
from signaling.delivery import Gone

from .socket import StreamSocket

logger = logging.getLogger(__name__)

SLOW_S = 10.0
"""A reader that takes nothing for so long is cut."""
CONTROL_CAPACITY = 256
"""Control messages that wait; a reader that lets more of them wait is cut, too."""


class Outbox:
    """Writes to one socket: the `Wire` of its events. `run` sends control messages, `slow` is called once at most."""

    def __init__(self, socket: StreamSocket, slow: Callable[[str], None]) -> None:
        self._socket = socket
        self._slow = slow
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._cut = False

    def say(self, message: dict[str, Any]) -> None:
        """Send a control message, before whatever is sent after this call."""
        if len(self._waiting) >= CONTROL_CAPACITY:
            self._cut_off(f"{CONTROL_CAPACITY} messages wait to be read")
            return
        self._waiting.append(messages.encode(message))
        self._wake.set()

    async def send(self, event: dict[str, Any], *, live: bool) -> None:
        """Send an event. Raises Gone."""
        await self.send_text(messages.encode(event))

    async def send_text(self, text: str, *, deflate: bool = True) -> None:
        """Send text, after the control messages so far; `deflate`: if it is worth it. Raises Gone."""
        async with self._writing:
            await self._say_all()
            await self._write(self._socket.send_text(text, deflate=deflate))

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message, after the control messages so far. Raises Gone."""
        async with self._writing:
            await self._say_all()
            await self._write(self._socket.send_bytes(data))

    async def flush(self) -> None:
        """Send the control messages so far. Raises Gone."""
        async with self._writing:
            await self._say_all()

    async def run(self) -> None:
        """Send control messages as they come, until cancelled or until the client is gone."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.flush()
            except Gone:
                return

    async def _say_all(self) -> None:
        while self._waiting:
            await self._write(self._socket.send_text(self._waiting.popleft()))

    async def _write(self, writing: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(SLOW_S):
                await writing
        except TimeoutError:
            self._cut_off(f"nothing was read for {SLOW_S:g} s")
            raise Gone from None
        except ConnectionError:
            raise Gone from None

    def _cut_off(self, why: str) -> None:
        if not self._cut:
            self._cut = True
            self._slow(why)
