"""`/sessions/{id}/snapshot`, `/sessions/{id}/artifacts`, `/artifacts/{id}`: pictures made, listed, served, removed."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tracks.errors import InvalidRequest

from .. import store
from ..artifact_response import answer
from ..artifacts import KINDS, Artifact, Artifacts, SnapshotOptions
from ..middleware import read_json
from ..sessions import LiveSessions
from .query import check_names, whole


def add_routes(app: web.Application, rows: store.Sessions, live: LiveSessions, artifacts: Artifacts) -> None:
    """Take a snapshot; page through a session's artifacts; serve and remove one."""

    async def take(request: web.Request) -> web.Response:
        options = await read_json(request, SnapshotOptions) if request.can_read_body else SnapshotOptions()
        session = await live.get(request.match_info["session_id"])
        artifact = await session.snapshot(annotated=options.annotated)
        return web.json_response(_wire(artifact), status=201, headers={"Location": artifact.url})

    async def index(request: web.Request) -> web.Response:
        check_names(request, ("after", "limit", "kind"))
        kind = request.query.get("kind")
        if kind is not None and kind not in KINDS:
            raise InvalidRequest(f"unknown kind {kind[:40]!r}, have: {', '.join(KINDS)}")
        session = await rows.get(request.match_info["session_id"])
        after = request.query.get("after", "")
        found, following = await artifacts.page(session.id, after, whole(request, "limit", 100), kind)
        return web.json_response({"artifacts": [_wire(each) for each in found], "next": following})

    async def show(request: web.Request) -> web.StreamResponse:
        artifact = await artifacts.get(request.match_info["artifact_id"])
        return await answer(request, artifact, lambda start, stop: artifacts.read(artifact, start, stop))

    async def remove(request: web.Request) -> web.Response:
        await artifacts.delete(request.match_info["artifact_id"])
        return web.Response(status=204)

    app.router.add_post("/sessions/{session_id}/snapshot", take)
    app.router.add_get("/sessions/{session_id}/artifacts", index)
    app.router.add_get("/artifacts/{artifact_id}", show)
    app.router.add_delete("/artifacts/{artifact_id}", remove)


def _wire(artifact: Artifact) -> dict[str, Any]:
    """An artifact as clients see it."""
    return {
        "artifactId": artifact.id,
        "sessionId": artifact.session_id,
        "kind": artifact.kind,
        "mediaType": artifact.media_type,
        "bytes": artifact.bytes,
        "width": artifact.width,
        "height": artifact.height,
        "at": artifact.at,
        "mediaTime": artifact.media_time,
        "url": artifact.url,
    }
