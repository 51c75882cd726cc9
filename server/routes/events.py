"""`/sessions/{id}/events` and `/events/{id}`: what happened, page by page."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field

from tracks.events import KINDS, Model
from tracks.events.wire import EXAMPLE, AnyEvent

from .. import store
from ..api import Answer, Reply, Route, declare, example, given
from ..api.query import Limit, UnixSeconds
from ..roles import Role

TAG = "events"


def _kinds(given: Any) -> Any:
    """`kind`, given once or more, or with commas."""
    if not isinstance(given, list):
        return given
    kinds = [kind for text in given for kind in str(text).split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind[:40]!r}, have: {', '.join(KINDS)}")
    return kinds


Kinds = Annotated[
    list[str],
    BeforeValidator(_kinds),
    Field(json_schema_extra={"items": {"type": "string", "enum": [*KINDS]}}),
]


class EventsQuery(Model):
    """Which events of a session, and from where on."""

    after: Annotated[int, Field(ge=0, lt=10**18)] = 0
    """Only events with a `seq` above this: the `next` of the page before, or the last that was seen."""
    limit: Limit = 100
    """Events of a page."""
    kind: Kinds | None = None
    """Only events of these kinds; given once or more, or with commas."""
    since: UnixSeconds | None = None
    """Only events at or after this, in Unix seconds."""
    until: UnixSeconds | None = None
    """Only events at or before this, in Unix seconds."""
    label: Annotated[str, Field(max_length=200, examples=["person"])] | None = None
    """Only detections with something of this label in them, and events of such objects."""
    q: Annotated[str, Field(examples=["fellow amer"])] | None = None
    """Only what was said with all of these words, as they are spelt; the last one may be the beginning of one."""


class EventPage(Reply):
    """A page of stored events, oldest first."""

    model_config = example(events=[EXAMPLE], next=None)

    events: list[AnyEvent]  # type: ignore[valid-type]
    next: int | None
    """`after` of the next page; null when there is none."""


def add_routes(app: web.Application, rows: store.Sessions, events: store.EventLog) -> None:
    """Page through a session's stored events; look one up. They are answered as they are stored, without a detour."""

    async def index(request: web.Request) -> web.Response:
        query = given(request, EventsQuery)
        session = await rows.get(request.match_info["session_id"])
        found, after = await events.page(
            session.id,
            query.after,
            query.limit,
            query.kind,
            query.since,
            query.until,
            query.label,
            query.q,
        )
        return web.json_response({"events": found, "next": after})

    async def show(request: web.Request) -> web.Response:
        return web.json_response(await events.get(request.match_info["event_id"]))

    declare(
        app,
        Route(
            "GET",
            "/sessions/{session_id}/events",
            index,
            "Read a session's events",
            TAG,
            Role.VIEWER,
            (Answer(200, "A page of events.", EventPage),),
            query=EventsQuery,
            errors=("db_unavailable",),
        ),
        Route(
            "GET",
            "/events/{event_id}",
            show,
            "Look an event up",
            TAG,
            Role.VIEWER,
            (Answer(200, "The event.", AnyEvent),),
            errors=("db_unavailable",),
        ),
    )
