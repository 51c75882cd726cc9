"""Clients that are slow with their headers, URLs that are too long, and what is no HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from server.front import Runner
from server.middleware import runner_options
from tests.server.requests.small_app import application, error_of


@asynccontextmanager
async def running(header_timeout_s: float) -> AsyncIterator[int]:
    runner = Runner(application(), **runner_options(header_timeout_s))
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


@pytest.mark.parametrize(
    ("chars", "says"), [(20_000, "the URL is longer than 8192 bytes"), (200_000, "the URL or a header is too long")]
)
async def test_a_url_that_is_too_long_is_refused_like_anything_else(
    chars: int, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In the envelope, with every answer's headers, and no stack is in the log; also where aiohttp reads no more."""
    async with running(header_timeout_s=5) as port, aiohttp.ClientSession() as http:
        with caplog.at_level(logging.INFO):
            response = await http.get(f"http://localhost:{port}/items?{'x' * chars}")
        assert response.status == 400
        error = await error_of(response)
        assert (error["code"], error["message"]) == ("invalid_request", says)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Request-Id"]
    assert [record for record in caplog.records if record.exc_info] == []


async def test_what_is_no_http_is_refused_without_repeating_it(caplog: pytest.LogCaptureFixture) -> None:
    """A broken header may have a token in it: neither the answer nor the log has that."""
    async with running(header_timeout_s=5) as port:
        with caplog.at_level(logging.DEBUG):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\x00\r\n\r\n")
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
    assert b" 400 Bad Request" in head.splitlines()[0]
    assert json.loads(body)["error"]["code"] == "invalid_request"
    assert b"secret" not in body
    assert "secret" not in caplog.text
