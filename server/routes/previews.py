"""`GET /sources/{id}/preview`: what a camera sees."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from aiortc.mediastreams import MediaStreamError

from tracks.errors import Conflict
from tracks.jpeg import MEDIA_TYPE, encode_jpeg

from ..api import Answer, Route, declare
from ..cameras import CameraOptions, Cameras, newest_on
from ..roles import Role
from ..sessions import LiveSessions
from ..store import Source, Sources
from ..transcription import while_connected

WAIT_S = 0.2
"""For the first picture of a session that has just begun."""


def add_routes(app: web.Application, sources: Sources, live: LiveSessions, cameras: Cameras) -> None:
    """One picture of a source."""

    async def newest(source: Source) -> bytes | None:
        """Of its session, as its viewers see it."""
        session = newest_on(live, source.id)
        if session is None or session.batch is not None:
            return None
        try:
            async with asyncio.timeout(WAIT_S):
                shown = await session.newer(None)
        except (TimeoutError, MediaStreamError):
            return None
        return await asyncio.to_thread(encode_jpeg, shown.frame)

    async def show(request: web.Request) -> web.Response:
        source = await sources.get(request.match_info["source_id"])
        picture = await newest(source) or cameras.preview(source.id)
        if picture is None:
            if source.kind != "rtsp" or source.url is None:
                raise Conflict(f"source {source.id} has no picture yet")
            found = await while_connected(request, cameras.look(cameras.url(source.url), CameraOptions.of(source)))
            picture = found.preview
            cameras.keep_preview(source.id, picture)
        return web.Response(body=picture, content_type=MEDIA_TYPE, headers={hdrs.CACHE_CONTROL: "no-store"})

    declare(
        app,
        Route(
            "GET",
            "/sources/{source_id}/preview",
            show,
            "See what a source sees",
            "sources",
            Role.VIEWER,
            (Answer(200, "The picture.", media_types=(MEDIA_TYPE,)),),
            errors=(
                *("conflict", "overloaded", "source_unreachable", "forbidden_url", "unsupported_media"),
                *("payload_too_large", "db_unavailable"),
            ),
            description=(
                "The newest annotated picture of its newest session; else the one with which a camera was last found,"
                " or a new one of it. Other sources without a session have none."
            ),
        ),
    )
