"""`/sessions/{id}/events` and `/events/{id}`: what happened, page by page."""

from __future__ import annotations

from aiohttp import web

from tracks.errors import InvalidRequest
from tracks.events import KINDS

from .. import store
from .query import check_names, seconds, whole

PARAMETERS = ("after", "limit", "kind", "since", "until")


def add_routes(app: web.Application, rows: store.Sessions, events: store.EventLog) -> None:
    """Page through a session's stored events; look one up."""

    async def index(request: web.Request) -> web.Response:
        check_names(request, PARAMETERS)
        session = await rows.get(request.match_info["session_id"])
        found, after = await events.page(
            session.id,
            whole(request, "after", 0),
            whole(request, "limit", 100),
            _kinds(request),
            seconds(request, "since"),
            seconds(request, "until"),
        )
        return web.json_response({"events": found, "next": after})

    async def show(request: web.Request) -> web.Response:
        return web.json_response(await events.get(request.match_info["event_id"]))

    app.router.add_get("/sessions/{session_id}/events", index)
    app.router.add_get("/events/{event_id}", show)


def _kinds(request: web.Request) -> list[str] | None:
    """`kind`, given once or more, or with commas."""
    if "kind" not in request.query:
        return None
    kinds = [kind for text in request.query.getall("kind") for kind in text.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidRequest(f"unknown kind {kind!r}, have: {', '.join(KINDS)}")
    return kinds
