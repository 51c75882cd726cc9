"""`/sessions`: what runs over a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from tracks.events import Model

from .. import store
from ..artifacts import Artifacts
from ..middleware import read_json
from ..session import LiveSession
from ..sessions import LiveSessions
from ..settings import IceServer
from .query import check_names, flag, page_query


class NewSession(Model):
    """Body of `POST /sessions`."""

    source_id: str
    pipelines: list[str] = Field(default=["vision"], max_length=10)
    profile: str | None = None
    overlay: Literal["smooth", "exact"] | None = None
    classes: list[str] | None = Field(default=None, max_length=1000)


def add_routes(
    app: web.Application,
    rows: store.Sessions,
    sources: store.Sources,
    live: LiveSessions,
    artifacts: Artifacts,
    ice_servers: Sequence[IceServer],
) -> None:
    """Create, list, look up and end sessions; who is to connect to one is told by which STUN and TURN servers."""
    servers = [server.model_dump(exclude_none=True) for server in ice_servers]

    async def create(request: web.Request) -> web.Response:
        body = await read_json(request, NewSession)
        session = await live.create(body.source_id, body.pipelines, body.profile, body.overlay, body.classes)
        location = f"/sessions/{session.row.id}"
        created = {**(await wires([session.row]))[0], "iceServers": servers}
        return web.json_response(created, status=201, headers={"Location": location})

    async def index(request: web.Request) -> web.Response:
        page = page_query(request, ordered=True)
        found, after = await rows.page(page.after or "", page.limit, newest=page.newest)
        return web.json_response({"sessions": await wires(found), "next": after})

    async def show(request: web.Request) -> web.Response:
        row = await rows.get(request.match_info["session_id"])
        return web.json_response({**(await wires([row]))[0], "iceServers": servers})

    async def stats(request: web.Request) -> web.Response:
        session = await live.get(request.match_info["session_id"])
        return web.json_response(session.latest_numbers())

    async def end(request: web.Request) -> web.Response:
        check_names(request, ("artifacts",))
        forget = flag(request, "artifacts")
        session_id = request.match_info["session_id"]
        session = live.find(session_id)
        if session is not None:
            await session.end("stopped by a client")
        else:
            await rows.get(session_id)
        if forget:
            await artifacts.delete_of(session_id)
        return web.Response(status=204)

    async def wires(found: Sequence[store.Session]) -> list[dict[str, Any]]:
        known = await sources.by_id({row.source_id for row in found})
        return [_wire(row, known.get(row.source_id), live.find(row.id)) for row in found]

    app.router.add_post("/sessions", create)
    app.router.add_get("/sessions", index)
    app.router.add_get("/sessions/{session_id}", show)
    app.router.add_get("/sessions/{session_id}/stats", stats)
    app.router.add_delete("/sessions/{session_id}", end)


def _wire(row: store.Session, source: store.Source | None, session: LiveSession | None) -> dict[str, Any]:
    state, reason, seq = row.state, row.reason, row.last_seq
    if session is not None:
        state, reason, seq = session.state, session.reason, session.last_seq
    return {
        "sessionId": row.id,
        "sourceId": row.source_id,
        "source": None if source is None else {"kind": source.kind, "name": source.name},
        "pipelines": list(row.pipelines),
        "profile": row.profile,
        "overlay": row.overlay,
        "classes": None if row.classes is None else list(row.classes),
        "state": state,
        "reason": reason,
        "seq": seq,
        "peers": 0 if session is None else len(session.peers),
        "createdAt": row.created_at,
        "endedAt": row.ended_at,
    }
