"""`/sessions/{id}/transcript`: what was said in a session, as JSON, SubRip or WebVTT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from tracks.events import SpokenWord
from tracks.types import Segment

from .. import store
from ..api import Answer, Reply, Route, declare, example, reply
from ..roles import Role
from ..subtitles import SRT, VTT, to_srt, to_vtt

TAG = "transcripts"
PAGE_EVENTS = 1000


class Utterance(Reply):
    """What somebody said in one go; times are seconds on the session clock."""

    event_id: str
    text: str
    start: float | None
    end: float | None
    language: str | None
    """ISO 639-1; null when the engine does not tell."""
    speaker: str | None
    engine: str
    """The model that heard it."""
    words: list[SpokenWord]


class SessionTranscript(Reply):
    """What was said in a session, as far as it is final."""

    model_config = example(
        text="hello",
        language="en",
        segments=[
            {
                "eventId": "019ab3f2-9a4d-7b10-8c55-0e2f6d1c3b42",
                "text": "hello",
                "start": 40.1,
                "end": 40.4,
                "language": "en",
                "speaker": None,
                "engine": "pocketsphinx",
                "words": [{"text": "hello", "start": 40.1, "end": 40.4, "probability": 0.93}],
            }
        ],
    )

    text: str
    language: str | None
    segments: list[Utterance]


def add_routes(app: web.Application, rows: store.Sessions, events: store.EventLog) -> None:
    """The whole transcript, as far as it is final; times are seconds on the session clock."""

    async def show(request: web.Request) -> web.Response:
        segments = await said(request)
        languages = [each.language for each in segments if each.language is not None]
        text = " ".join(each.text for each in segments)
        return reply(
            SessionTranscript(text=text, language=languages[0] if languages else None, segments=list(segments))
        )

    async def srt(request: web.Request) -> web.Response:
        return web.Response(text=to_srt(_cues(await said(request))), content_type=SRT, charset="utf-8")

    async def vtt(request: web.Request) -> web.Response:
        return web.Response(text=to_vtt(_cues(await said(request))), content_type=VTT, charset="utf-8")

    async def said(request: web.Request) -> Sequence[Utterance]:
        session = await rows.get(request.match_info["session_id"])
        found: list[Utterance] = []
        after: int | None = 0
        while after is not None:
            page, after = await events.page(session.id, after, PAGE_EVENTS, ["transcript"])
            found += map(_utterance, page)
        return found

    path, database = "/sessions/{session_id}/transcript", ("db_unavailable",)
    whole = Answer(200, "The transcript.", SessionTranscript)
    as_srt, as_vtt = (Answer(200, "The transcript.", media_types=(form,)) for form in (SRT, VTT))
    declare(
        app,
        Route("GET", path, show, "Read what was said", TAG, Role.VIEWER, (whole,), errors=database),
        Route("GET", f"{path}.srt", srt, "Read what was said, as SubRip", TAG, Role.VIEWER, (as_srt,), errors=database),
        Route("GET", f"{path}.vtt", vtt, "Read what was said, as WebVTT", TAG, Role.VIEWER, (as_vtt,), errors=database),
    )


def _cues(said: Sequence[Utterance]) -> list[Segment]:
    return [Segment(each.text, each.start or 0.0, each.end or 0.0) for each in said]


def _utterance(event: Mapping[str, Any]) -> Utterance:
    """One utterance; without words it is known only when it ended."""
    data, words = event["data"], event["data"]["words"]
    return Utterance(
        event_id=event["id"],
        text=data["text"],
        start=words[0]["start"] if words else event["mediaTime"],
        end=words[-1]["end"] if words else event["mediaTime"],
        language=data.get("language"),
        speaker=data.get("speaker"),
        engine=data["engine"],
        words=[SpokenWord(**word) for word in words],
    )
