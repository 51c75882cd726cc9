"""The route `/ws/stream`, and every connection that there is."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from signaling import messages
from tracks.errors import Overloaded, RateLimited, VedetteError
from tracks.events.envelope import new_id

from ..access import LOOK_EVERY_S, Access, Unauthorized
from ..api import Answer, Route, declare, given
from ..logs import log_context
from ..principal import Principal
from ..session import SERVER_STOPPED
from .connection import Connection
from .handshake import StreamQuery, check_protocol, first_attach
from .line import Close
from .socket import StreamSocket
from .starts import RETRY_AFTER_S, Starts

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
PATH = "/ws/stream"


class Streams:
    """Takes connections, and owns them: `close` ends them all."""

    def __init__(self, starts: Starts, access: Access) -> None:
        self._starts = starts
        self._access = access
        self._connections: dict[str, Connection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Shake hands with a client, and serve it until it goes. Host and Origin have been checked before."""
        check_protocol(request)
        first = first_attach(given(request, StreamQuery))
        socket = StreamSocket()
        try:
            principal = await self._access.principal(request)
        except Unauthorized as error:
            return await _turn_away(request, socket, Close.UNAUTHORIZED, error)
        except RateLimited as error:
            return await _turn_away(request, socket, Close.TOO_MUCH, error)
        if len(self._connections) >= MAX_CONNECTIONS:
            full = Overloaded(f"{MAX_CONNECTIONS} clients are connected", {"retryAfter": RETRY_AFTER_S})
            return await _turn_away(request, socket, Close.OVERLOADED, full)
        await socket.prepare(request)
        connection = Connection(new_id(), socket, principal, self._starts)
        self._connections[connection.id] = connection
        token = asyncio.create_task(self._end_revoked(connection, principal), name="stream-token")
        try:
            with log_context(client_id=connection.id):
                await connection.run(first)
        finally:
            token.cancel()
            del self._connections[connection.id]
        return socket

    async def _end_revoked(self, connection: Connection, principal: Principal) -> None:
        """Close the connection when its token is taken back."""
        while True:
            try:
                await self._access.until_revoked(principal)
                break
            except OSError as error:  # every request is refused for the same reason; what is open stays so
                logger.error("%s", error)
                await asyncio.sleep(LOOK_EVERY_S)
        connection.line.end_soon(Close.UNAUTHORIZED, Unauthorized("the token was revoked"))

    async def close(self) -> None:
        """End every connection: the server goes away."""
        endings = [each.line.end_soon(Close.GOING_AWAY, SERVER_STOPPED) for each in self._connections.values()]
        if endings:
            await asyncio.wait(endings)


async def _turn_away(request: web.Request, socket: StreamSocket, code: Close, error: VedetteError) -> StreamSocket:
    """Say why in a message and a close code: a page cannot read the answer to a handshake that is refused."""
    await socket.prepare(request)
    await socket.send_text(messages.encode(messages.error_message(error, fatal=True)))
    await socket.close(code=code, message=error.code.encode())
    return socket


def add_stream(app: web.Application, streams: Streams) -> None:
    """Route it, and close all connections when the server stops."""

    async def close(app: web.Application) -> None:
        await streams.close()

    declare(
        app,
        Route(
            "GET",
            PATH,
            streams.serve,
            "Open a WebSocket",
            "stream",
            # A bad token is told by a close code (4401): a page cannot read the answer to a refused handshake.
            None,
            (Answer(101, "The subprotocol `vedette.v1` begins."),),
            query=StreamQuery,
            description="Sessions, pictures, sound, commands and events over one WebSocket, for clients that speak no "
            "WebRTC. The query equals a first `attach`.",
        ),
    )
    app.on_shutdown.append(close)
