"""`/sources`: where pictures and sound come from."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from tracks.events import Model

from ..middleware import read_json
from ..sessions import LiveSessions
from ..store import Source, Sources
from .query import page_query


class NewSource(Model):
    """Body of `POST /sources`."""

    kind: Literal["webcam", "demo"]
    """`webcam`: pushed by a client over WebRTC; `demo`: pictures and speech that ship with Vedette."""
    name: str | None = Field(default=None, min_length=1, max_length=200)


def add_routes(app: web.Application, sources: Sources, live: LiveSessions) -> None:
    """Create, list, look up and remove sources."""

    async def create(request: web.Request) -> web.Response:
        body = await read_json(request, NewSource)
        source = await sources.create(body.kind, body.name or body.kind)
        return web.json_response(_wire(source), status=201, headers={"Location": f"/sources/{source.id}"})

    async def index(request: web.Request) -> web.Response:
        page = page_query(request)
        found, after = await sources.page(page.after or "", page.limit)
        return web.json_response({"sources": [_wire(source) for source in found], "next": after})

    async def show(request: web.Request) -> web.Response:
        return web.json_response(_wire(await sources.get(request.match_info["source_id"])))

    async def remove(request: web.Request) -> web.Response:
        source_id = request.match_info["source_id"]
        await sources.delete(source_id)
        for session in live:
            if session.row.source_id == source_id:
                await session.end("source removed")
        return web.Response(status=204)

    app.router.add_post("/sources", create)
    app.router.add_get("/sources", index)
    app.router.add_get("/sources/{source_id}", show)
    app.router.add_delete("/sources/{source_id}", remove)


def _wire(source: Source) -> dict[str, Any]:
    return {"sourceId": source.id, "kind": source.kind, "name": source.name, "createdAt": source.created_at}
