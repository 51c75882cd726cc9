"""One connection as such: messages in, its outbox, its heartbeat, and the ways in which it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any

from aiohttp import WSMessage, WSMsgType

from signaling import messages
from signaling.delivery import Gone
from signaling.patience import TokenBucket
from tracks.errors import RateLimited, VedetteError

from .outbox import Outbox
from .socket import StreamSocket

logger = logging.getLogger(__name__)

HEARTBEAT_S = 15.0
MISSED_PONGS = 2
LAST_WORDS_S = 1.0
"""For what is still to be sent before a connection is closed."""
CONTROL_PER_S, CONTROL_BURST = 20, 50
REASON_BYTES = 123
"""RFC 6455, 5.5.1: what fits a close frame."""


class Close(IntEnum):
    """Close codes of protocol 1."""

    OK = 1000
    GOING_AWAY = 1001
    UNKNOWN_TAG = 1003
    INTERNAL = 1011
    OVERLOADED = 1013
    UNREADABLE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    HEARTBEAT_LOST = 4408
    CONFLICT = 4409
    TOO_MUCH = 4429


ORDERLY = frozenset({Close.OK, Close.GOING_AWAY, Close.CONFLICT})
"""Ends before which the client is sent what is due to it."""


class Line:
    """A socket that has been prepared. `last_words` is awaited before an orderly end: what is due is sent then."""

    def __init__(self, socket: StreamSocket, last_words: Callable[[], Awaitable[None]]) -> None:
        self.outbox = Outbox(socket, self._cut_off)
        self.reason = "closed"
        """Why it ended."""
        self.control = TokenBucket(CONTROL_PER_S, CONTROL_BURST)
        """Takes control messages, of which there may be so many."""
        self._socket = socket
        self._last_words = last_words
        self._unanswered = 0
        self._scope: asyncio.Timeout | None = None
        self._not_reading = asyncio.Event()
        self._not_reading.set()
        self._closing: asyncio.Task[None] | None = None
        self._tasks = (
            asyncio.create_task(self.outbox.run(), name="stream-outbox"),
            asyncio.create_task(self._beat(), name="stream-heartbeat"),
        )

    async def receive(self) -> str | bytes | None:
        """The next message, None at the end. What comes while the connection is being closed is not taken."""
        while True:
            message = await self._read()
            if message is None:
                return None
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY if self._closing is not None:
                    pass
                case WSMsgType.TEXT:
                    return str(message.data)
                case WSMsgType.BINARY:
                    return bytes(message.data)
                case WSMsgType.PONG:
                    self._unanswered = 0
                case WSMsgType.PING:
                    if self.control.take():
                        with contextlib.suppress(ConnectionError):
                            await self._socket.pong(message.data)
                    else:
                        self.end_soon(Close.TOO_MUCH, RateLimited(f"more than {CONTROL_PER_S} pings a second"))
                case _:
                    if self._closing is None:
                        self.reason = f"closed by the client ({self._socket.close_code})"
                    return None

    def end_soon(self, code: Close, why: VedetteError | str, id: str | None = None) -> asyncio.Task[None]:
        """Begin to close; the first reason counts. An error is told before, as an answer to `id`."""
        if self._closing is None:
            self.reason = why if isinstance(why, str) else why.message
            logger.log(logging.ERROR if code == Close.INTERNAL else logging.INFO, "closing %d: %s", code, self.reason)
            told = messages.error_message(why, fatal=True, id=id) if isinstance(why, VedetteError) else None
            self._closing = asyncio.create_task(self._close(code, told), name="stream-close")
        return self._closing

    async def over(self) -> None:
        """Wait until the connection is closed, and nothing of it is left."""
        if self._closing is not None:
            await asyncio.wait((self._closing,))
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _read(self) -> WSMessage | None:
        """The next message; None when the connection is to be closed."""
        self._not_reading.clear()
        try:
            async with asyncio.timeout(None) as self._scope:
                return await self._socket.receive()
        except TimeoutError:
            return None
        finally:
            self._scope = None
            self._not_reading.set()

    async def _close(self, code: Close, told: dict[str, Any] | None) -> None:
        with contextlib.suppress(TimeoutError, Gone):
            async with asyncio.timeout(LAST_WORDS_S):
                if code in ORDERLY:
                    await self._last_words()
                if told is not None:
                    self.outbox.say(told)
                await self.outbox.flush()
        if self._scope is not None:
            # Whoever reads steps aside: aiohttp then reads on until the client has closed, too, and does not close in
            # the midst of what it sends.
            self._scope.reschedule(asyncio.get_running_loop().time())
        await self._not_reading.wait()
        reason = self.reason.encode()[:REASON_BYTES].decode(errors="ignore")
        await self._socket.close(code=code, message=reason.encode())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if self._unanswered >= MISSED_PONGS:
                self.end_soon(Close.HEARTBEAT_LOST, f"{MISSED_PONGS} pings were not answered")
                return
            self._unanswered += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    try:
                        await self._socket.ping()
                    except ConnectionError:
                        return

    def _cut_off(self, why: str) -> None:
        self.end_soon(Close.TOO_MUCH, f"too slow: {why}")
