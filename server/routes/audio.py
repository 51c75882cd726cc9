"""`POST /analyze/audio`: one recording in, its words out, as JSON, WebVTT or SubRip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import hdrs, web
from pydantic import Field

from tracks.asr import Hints
from tracks.asr.languages import code_of
from tracks.errors import InvalidRequest
from tracks.events import Model, SpokenWord

from ..api import Answer, File, RawBody, Reply, Route, declare, example, reply
from ..roles import Role
from ..subtitles import SRT, VTT, to_srt, to_vtt
from ..transcription import Heard, Transcriber, while_connected, wire_s

TAG = "analysis"
FIELDS = ("language", "prompt", "hotwords", "model")
MAX_PROMPT = 4000
"""Characters; Whisper reads the last 224 tokens."""
AUDIO_TYPES = ("audio/*", "video/*", "application/octet-stream")
"""What a recording may be declared as; what it is is told by its content."""
SAMPLE = "tracks/sources/assets/demo.ogg"
_WORD = {"text": "hello", "start": 0.32, "end": 0.71, "probability": 0.93}


class AudioQuery(Model):
    """What is known of the recording."""

    language: str | None = Field(default=None, examples=["en"])
    """What is spoken, in ISO 639-1; without it the engine finds out."""
    prompt: str | None = Field(default=None, max_length=MAX_PROMPT)
    """Text that sets style and spelling."""
    hotwords: str | None = Field(default=None, max_length=MAX_PROMPT)
    """Words to expect."""
    model: str | None = None
    """A recogniser of the registry; the server's own, unless given."""


class AudioForm(AudioQuery):
    """A recording, and what is known of it."""

    file: File
    """The recording; its format is told by its content."""


class HeardSegment(Reply):
    """A stretch of speech; times are seconds of the recording."""

    text: str
    start: float
    end: float
    speaker: str | None


class AudioTranscript(Reply):
    """What was said in a recording."""

    model_config = example(
        text="hello",
        language="en",
        duration=1.25,
        engine="pocketsphinx",
        realTimeFactor=0.41,
        words=[_WORD],
        segments=[{"text": "hello", "start": 0.32, "end": 0.71, "speaker": None}],
    )

    text: str
    language: str | None
    duration: float
    """Of the recording, in seconds."""
    engine: str
    """The model that heard it."""
    real_time_factor: float
    """Seconds that it took for a second of sound."""
    words: list[SpokenWord]
    segments: list[HeardSegment]


def add_routes(app: web.Application, transcriber: Transcriber) -> None:
    """Transcribe what is sent: a form with `file`, or the file itself as the body. Fields may be in the query, too."""

    async def analyze(request: web.Request) -> web.Response:
        with transcriber.place() as place:
            async with transcriber.uploads.receive(request) as upload:
                fields = _fields({**{name: request.query.getall(name) for name in request.query}, **upload.fields})
                model, known = fields.pop("model", None), hints(**fields)

                async def heard() -> Heard:
                    return await (await transcriber.open(place, upload.path, model, known)).whole()

                return answer(request, await while_connected(request, heard()))

    declare(
        app,
        Route(
            "POST",
            "/analyze/audio",
            analyze,
            "Transcribe a recording",
            TAG,
            Role.OPERATOR,
            (Answer(200, "What was said, as `Accept` asks for it.", AudioTranscript, media_types=(VTT, SRT)),),
            # Its fields may come in the form, too, where they are checked together.
            query=AudioQuery,
            body=RawBody(AUDIO_TYPES, SAMPLE, AudioForm),
            errors=("not_found", "model_unavailable", "overloaded", "storage_full"),
            description="A form with `file`, or the recording itself as the body.",
        ),
    )


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
    return reply(_transcript(heard))


def _fields(given: Mapping[str, Sequence[str]]) -> dict[str, str]:
    for name, values in given.items():
        if name not in FIELDS:
            raise InvalidRequest(f"unknown field {name[:40]!r}, have: file, {', '.join(FIELDS)}")
        if len(values) != 1:
            raise InvalidRequest(f"{name} was given {len(values)} times")
    return {name: values[0] for name, values in given.items()}


def _transcript(heard: Heard) -> AudioTranscript:
    return AudioTranscript(
        text=heard.text,
        language=heard.language,
        duration=wire_s(heard.duration_s),
        engine=heard.info.name,
        real_time_factor=wire_s(heard.took_s / heard.duration_s),
        words=[
            SpokenWord(text=each.text, start=wire_s(each.start_s), end=wire_s(each.end_s), probability=each.probability)
            for each in heard.words
        ],
        segments=[
            HeardSegment(text=each.text, start=wire_s(each.start_s), end=wire_s(each.end_s), speaker=None)
            for each in heard.segments
        ],
    )
