"""`POST /analyze/audio`: one recording in, its words out, as JSON, WebVTT or SubRip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import hdrs, web

from tracks.asr import Hints
from tracks.asr.languages import code_of
from tracks.errors import InvalidRequest

from ..subtitles import SRT, VTT, to_srt, to_vtt
from ..transcription import Heard, Transcriber, while_connected, wire_s

FIELDS = ("language", "prompt", "hotwords", "model")
MAX_PROMPT = 4000
"""Characters; Whisper reads the last 224 tokens."""


def add_routes(app: web.Application, transcriber: Transcriber) -> None:
    """Transcribe what is sent: a form with `file`, or the file itself as the body. Fields may be in the query, too."""

    async def analyze(request: web.Request) -> web.Response:
        with transcriber.place():
            async with transcriber.uploads.receive(request) as upload:
                fields = _fields({**{name: request.query.getall(name) for name in request.query}, **upload.fields})
                model, known = fields.pop("model", None), hints(**fields)

                async def heard() -> Heard:
                    return await (await transcriber.open(upload.path, model, known)).whole()

                return answer(request, await while_connected(request, heard()))

    app.router.add_post("/analyze/audio", analyze)


def hints(language: str | None = None, prompt: str | None = None, hotwords: str | None = None) -> Hints:
    """What is known of the recording. Raises InvalidRequest."""
    code = code_of(language) if language else None
    if language and code is None:
        raise InvalidRequest(
            f"unknown language {language[:40]!r}, expected ISO 639-1 such as en", {"param": "language"}
        )
    for name, text in (("prompt", prompt), ("hotwords", hotwords)):
        if text and len(text) > MAX_PROMPT:
            raise InvalidRequest(f"{name} is longer than {MAX_PROMPT} characters", {"param": name})
    return Hints(code, prompt or None, hotwords or None)


def answer(request: web.Request, heard: Heard) -> web.Response:
    """The transcript in the form that `Accept` asks for; what it does not know is answered in JSON."""
    accepted = [each.partition(";")[0].strip().lower() for each in request.headers.get(hdrs.ACCEPT, "").split(",")]
    for media_type in accepted:
        if media_type == VTT:
            return web.Response(text=to_vtt(heard.segments), content_type=VTT, charset="utf-8")
        if media_type == SRT:
            return web.Response(text=to_srt(heard.segments), content_type=SRT, charset="utf-8")
        if media_type in ("application/json", "application/*", "*/*"):
            break
    return web.json_response(_wire(heard))


def _fields(given: Mapping[str, Sequence[str]]) -> dict[str, str]:
    for name, values in given.items():
        if name not in FIELDS:
            raise InvalidRequest(f"unknown field {name[:40]!r}, have: file, {', '.join(FIELDS)}")
        if len(values) != 1:
            raise InvalidRequest(f"{name} was given {len(values)} times")
    return {name: values[0] for name, values in given.items()}


def _wire(heard: Heard) -> dict[str, Any]:
    return {
        "text": heard.text,
        "language": heard.language,
        "duration": wire_s(heard.duration_s),
        "engine": heard.info.name,
        "realTimeFactor": wire_s(heard.took_s / heard.duration_s),
        "words": [
            {
                "text": each.text,
                "start": wire_s(each.start_s),
                "end": wire_s(each.end_s),
                "probability": each.probability,
            }
            for each in heard.words
        ],
        "segments": [
            {"text": each.text, "start": wire_s(each.start_s), "end": wire_s(each.end_s), "speaker": None}
            for each in heard.segments
        ],
    }
