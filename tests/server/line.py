"""A TCP connection that can go dead: both ends believe in it, and nothing comes through any more."""

from __future__ import annotations

import asyncio
import contextlib


class Line:
    """The way to a port of this machine. What is connected when it dies stays dead; what comes later need not."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._pumps: set[asyncio.Task[None]] = set()
        self._ends: list[asyncio.StreamWriter] = []
        self._dead = False

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.die()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for end in self._ends:
            end.transport.abort()

    def die(self) -> None:
        """From now on nothing comes through, nor does anybody hear that a connection has ended."""
        self._dead = True
        for pump in self._pumps:
            pump.cancel()

    def revive(self) -> None:
        """Whoever connects from now on gets through."""
        self._dead = False

    async def _connected(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._ends.append(back)
        if self._dead:
            return
        there, forth = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._ends.append(forth)
        for source, sink in ((here, forth), (there, back)):
            self._pumps.add(asyncio.create_task(_pump(source, sink)))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
