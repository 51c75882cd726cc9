"""A server that does nothing but store events, as many as it can, and serve them by the real routes: to be killed.

Run as `python -m bench.event_server DATA_DIR PORT [DATABASE_URL]`. Sessions made by a process before go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from itertools import islice
from pathlib import Path

from aiohttp import web

from server.database import open_database
from server.routes import events as event_routes
from server.store import EventLog, Sessions, Sources

from .event_content import EventMaker

NODE = "bench"
WAITING = 500
"""Events that wait for their commit."""
TURN = 200
"""Events that are made before sessions are looked for again."""
START_AT = 1.7e9
NEWEST = 4
"""So many sessions go on."""


def application(data_dir: Path, url: str | None) -> web.Application:
    """`POST /sessions` makes one more session with events; the routes of events read them."""

    async def parts(app: web.Application) -> AsyncIterator[None]:
        database = await open_database(url, data_dir)
        log = EventLog(database, lambda event: None)
        rows, sources = Sessions(database, NODE), Sources(database)

        async def create(request: web.Request) -> web.Response:
            source = await sources.create("webcam", "a camera")
            session = await rows.create(source.id, ["vision"], "fast", "smooth", None)
            return web.json_response({"sessionId": session.id}, status=201)

        async def make_events() -> None:
            at = START_AT
            while True:
                sessions, _ = await rows.page(limit=NEWEST, newest=True)
                if sessions:
                    maker = EventMaker(sessions, [1.0] * len(sessions), at, 100.0, different=20)
                    for event in islice(maker, TURN):
                        log.append(event)
                    at = maker.at
                await _until(lambda: log.depth <= WAITING)

        app.router.add_post("/sessions", create)
        event_routes.add_routes(app, rows, log)
        making = asyncio.create_task(make_events())
        yield
        making.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await making
        await log.close()
        await database.close()

    async def ready(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/ready", ready)
    app.cleanup_ctx.append(parts)
    return app


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.sleep(0)
    while not condition():
        await asyncio.sleep(0.001)


if __name__ == "__main__":
    web.run_app(
        application(Path(sys.argv[1]), sys.argv[3] if len(sys.argv) > 3 else None),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        print=None,
    )
