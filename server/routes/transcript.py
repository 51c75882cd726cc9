"""`/sessions/{id}/transcript`: what was said in a session, as JSON, SubRip or WebVTT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from tracks.types import Segment

from .. import store
from ..subtitles import SRT, VTT, to_srt, to_vtt
from .query import check_names

PAGE_EVENTS = 1000


def add_routes(app: web.Application, rows: store.Sessions, events: store.EventLog) -> None:
    """The whole transcript, as far as it is final; times are seconds on the session clock."""

    async def show(request: web.Request) -> web.Response:
        found = await said(request)
        segments = [_wire(event) for event in found]
        languages = [each["language"] for each in segments if each["language"] is not None]
        body = {
            "text": " ".join(each["text"] for each in segments),
            "language": languages[0] if languages else None,
            "segments": segments,
        }
        return web.json_response(body)

    async def srt(request: web.Request) -> web.Response:
        return web.Response(text=to_srt(_cues(await said(request))), content_type=SRT, charset="utf-8")

    async def vtt(request: web.Request) -> web.Response:
        return web.Response(text=to_vtt(_cues(await said(request))), content_type=VTT, charset="utf-8")

    async def said(request: web.Request) -> Sequence[Mapping[str, Any]]:
        check_names(request, ())
        session = await rows.get(request.match_info["session_id"])
        found: list[Mapping[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page, after = await events.page(session.id, after, PAGE_EVENTS, ["transcript"])
            found += page
        return found

    app.router.add_get("/sessions/{session_id}/transcript", show)
    app.router.add_get("/sessions/{session_id}/transcript.srt", srt)
    app.router.add_get("/sessions/{session_id}/transcript.vtt", vtt)


def _cues(events: Sequence[Mapping[str, Any]]) -> list[Segment]:
    return [Segment(each["text"], each["start"], each["end"]) for each in map(_wire, events)]


def _wire(event: Mapping[str, Any]) -> dict[str, Any]:
    """One utterance; without words it is known only when it ended."""
    data, words = event["data"], event["data"]["words"]
    return {
        "eventId": event["id"],
        "text": data["text"],
        "start": words[0]["start"] if words else event["mediaTime"],
        "end": words[-1]["end"] if words else event["mediaTime"],
        "language": data.get("language"),
        "speaker": data.get("speaker"),
        "engine": data["engine"],
        "words": words,
    }
