"""aiohttp's WebSocket, where protocol 1 wants it otherwise. Written against aiohttp 3.14.5."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import zlib

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

from signaling.messages import PROTOCOL

MAX_MESSAGE_BYTES = 2 << 20
"""Of one message, inflated."""
DEFLATE_FROM_CHARS = 1024
"""Shorter text gains nothing: each message is deflated for itself, so that no connection holds a window of 256 KiB."""
UNSENT_BYTES = 128 * 1024
"""That the kernel may hold; it would take 4 MB, in which pictures get seconds old before anybody notices."""
CLOSE_TIMEOUT_S = 2.0
"""For the client's answer to our closing."""


class StreamSocket(web.WebSocketResponse):
    """A WebSocket that deflates text only, takes 2 MiB at most, and leaves pings to its owner.

    aiohttp inflates a message up to that bound and no further, so a deflate bomb ends the connection (1009) without
    ever being in memory.
    """

    def __init__(self) -> None:
        # aiohttp refuses what is as long as its limit, not only what is longer.
        super().__init__(
            protocols=(PROTOCOL,), autoping=False, max_msg_size=MAX_MESSAGE_BYTES + 1, timeout=CLOSE_TIMEOUT_S
        )
        self._window_bits = 0
        self._transport: asyncio.Transport | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Shake hands."""
        writer = await super().prepare(request)
        assert self._writer is not None
        # Its writer deflates every message once that is agreed on, JPEGs, too; told the window with each message, it
        # deflates those.
        self._window_bits, self._writer.compress = int(self._writer.compress), 0
        self._transport = request.transport
        if self._transport is not None and (raw := self._transport.get_extra_info("socket")) is not None:
            with contextlib.suppress(OSError, AttributeError):  # AttributeError: Windows has no such option
                raw.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        return writer

    async def send_text(self, text: str, *, deflate: bool = True) -> None:
        """Send a message of text; `deflate`: where that is agreed on, and it is long enough."""
        window = self._window_bits if deflate and len(text) >= DEFLATE_FROM_CHARS else 0
        await self.send_str(text, compress=window or None)

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = False) -> bool:
        """Close, and leave nothing behind in the transport."""
        spoilt = isinstance(self.exception(), zlib.error)
        if spoilt:  # of which aiohttp would say that all is well
            code = WSCloseCode.INVALID_TEXT
        if spoilt or (self.close_code == code != WSCloseCode.OK):
            await self._linger(code, message)
        closed = await super().close(code=code, message=message, drain=drain)
        if self._transport is not None and self._transport.get_write_buffer_size():
            self._transport.abort()  # of somebody who reads nothing
        return closed

    async def _linger(self, code: int, message: bytes) -> None:
        """Say why, and let the client hear it: something came that aiohttp cannot read on after.

        It would close at once, in the midst of what the client sends; that is answered with a reset, for which
        clients forget the close code (measured: always, with 5 MiB).
        """
        assert self._transport is not None
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.send_frame(code.to_bytes(2, "big") + message, WSMsgType.CLOSE)
                while not self._transport.is_closing():  # noqa: ASYNC110 (no event tells)
                    await asyncio.sleep(0.01)
        self._transport.close()
