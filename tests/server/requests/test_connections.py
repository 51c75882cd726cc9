"""Clients that are slow with their headers, and URLs that are too long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from server.middleware import runner_options
from tests.server.requests.small_app import application, error_of


@asynccontextmanager
async def running(header_timeout_s: float) -> AsyncIterator[int]:
    runner = web.AppRunner(application(), **runner_options(header_timeout_s))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield site.port
    await runner.cleanup()


async def test_half_a_header_does_not_hold_a_connection() -> None:
    """Whoever has not completed a request in time is cut, even while dribbling bytes, first request or later."""
    async with running(header_timeout_s=0.3) as port:
        for before in (b"", f"GET /nowhere HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            started_s = time.monotonic()
            writer.write(before + b"GET / HTTP/1.1\r\nHost: loc")
            ended = asyncio.ensure_future(reader.read())
            while not ended.done() and time.monotonic() - started_s < 5:
                writer.write(b"a")
                await asyncio.wait({ended}, timeout=0.05)
            assert ended.done()
            assert time.monotonic() - started_s < 2
            await asyncio.gather(ended, return_exceptions=True)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_url_that_is_too_long_is_refused_like_anything_else() -> None:
    """Up to eight times our bound it is answered in the envelope, and no stack is in the log."""
    async with running(header_timeout_s=5) as port, aiohttp.ClientSession() as http:
        response = await http.get(f"http://localhost:{port}/items?{'x' * 20_000}")
        assert response.status == 400
        assert (await error_of(response))["message"] == "the URL is longer than 8192 bytes"
