"""`/sources`: where pictures and sound come from."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from tracks.events import Model

from ..api import Answer, JsonBody, Reply, Route, declare, example, given, reply
from ..api.query import PageQuery
from ..roles import Role
from ..sessions import LiveSessions
from ..store import Source, Sources

TAG = "sources"
Name = Annotated[str, Field(min_length=1, max_length=200)]
_EXAMPLE = {
    "sourceId": "019ab3f2-6b0a-7c3e-8f11-2d9c4b7a5e60",
    "kind": "webcam",
    "name": "Front door",
    "createdAt": 1763791200.1,
}


class NewSource(Model):
    """A source to be made."""

    model_config = example(kind="webcam", name="Front door")

    kind: Literal["webcam", "demo"]
    """`webcam`: pushed by a client over WebRTC; `demo`: pictures and speech that ship with Vedette."""
    name: Name | None = None
    """What people call it; its kind, unless given."""


class SourceChange(Model):
    """What is to be otherwise."""

    model_config = example(name="Back door")

    name: Name
    """What people call it."""


class SourceInfo(Reply):
    """A source."""

    model_config = example(**_EXAMPLE)

    source_id: str
    kind: str
    name: str
    created_at: float
    """Unix seconds."""


class SourcePage(Reply):
    """A page of sources, oldest first."""

    model_config = example(sources=[_EXAMPLE], next=None)

    sources: list[SourceInfo]
    next: str | None
    """`after` of the next page; null when there is none."""


def add_routes(app: web.Application, sources: Sources, live: LiveSessions) -> None:
    """Create, list, look up, rename and remove sources."""

    async def create(request: web.Request) -> web.Response:
        body = given(request, NewSource)
        source = await sources.create(body.kind, body.name or body.kind)
        return reply(_info(source), 201, {"Location": f"/sources/{source.id}"})

    async def index(request: web.Request) -> web.Response:
        page = given(request, PageQuery)
        found, after = await sources.page(page.after, page.limit)
        return reply(SourcePage(sources=[_info(source) for source in found], next=after))

    async def show(request: web.Request) -> web.Response:
        return reply(_info(await sources.get(request.match_info["source_id"])))

    async def change(request: web.Request) -> web.Response:
        return reply(_info(await sources.rename(request.match_info["source_id"], given(request, SourceChange).name)))

    async def remove(request: web.Request) -> web.Response:
        source_id = request.match_info["source_id"]
        await sources.delete(source_id)
        for session in live:
            if session.row.source_id == source_id:
                await session.end("source removed")
        return web.Response(status=204)

    made = Answer(201, "The source.", SourceInfo, headers={"Location": "Where the source is."})
    one, database = "/sources/{source_id}", ("db_unavailable",)
    declare(
        app,
        Route(
            "POST",
            "/sources",
            create,
            "Make a source",
            TAG,
            Role.OPERATOR,
            (made,),
            body=JsonBody(NewSource),
            errors=database,
        ),
        Route(
            "GET",
            "/sources",
            index,
            "List the sources",
            TAG,
            Role.VIEWER,
            (Answer(200, "A page of sources.", SourcePage),),
            query=PageQuery,
            errors=database,
        ),
        Route(
            "GET",
            one,
            show,
            "Look a source up",
            TAG,
            Role.VIEWER,
            (Answer(200, "The source.", SourceInfo),),
            errors=database,
        ),
        Route(
            "PATCH",
            one,
            change,
            "Rename a source",
            TAG,
            Role.OPERATOR,
            (Answer(200, "The source as it is now.", SourceInfo),),
            body=JsonBody(SourceChange),
            errors=database,
        ),
        Route(
            "DELETE",
            one,
            remove,
            "Remove a source",
            TAG,
            Role.OPERATOR,
            (Answer(204, "It is gone, and its sessions have ended."),),
            errors=database,
            description="Its sessions end; what they have stored stays. Again, it is still gone.",
        ),
    )


def _info(source: Source) -> SourceInfo:
    return SourceInfo(source_id=source.id, kind=source.kind, name=source.name, created_at=source.created_at)
