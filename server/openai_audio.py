"""`POST /v1/audio/transcriptions` and `GET /v1/models`: OpenAI's own clients transcribe here without being changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from tracks.asr import Hints
from tracks.errors import InvalidRequest, NotFound
from tracks.types import Transcript

from .api import Answer, Form, Route, declare
from .envelope import failure_of
from .middleware import SHAPES
from .openai_models import ModelList, ModelReply, OpenAIFailure, TranscriptionForm, TranscriptionReply
from .openai_shape import DONE, FORMATS, answered, error_body, event, invalid, refused, usage
from .roles import Role
from .routes.audio import SAMPLE, hints
from .transcription import Hearing, Transcriber, while_connected

logger = logging.getLogger(__name__)

ALIASES = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe")
"""OpenAI's names, which clients have built in, for the recogniser that this server was started with."""
TAG = "openai"
STREAMED = ("text/plain", "text/event-stream")
GRANULARITIES = ("word", "segment")
OWNER = "vedette"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks for."""

    model: str | None
    """A name of the registry; None for the server's own recogniser."""
    hints: Hints
    response_format: str
    granularities: frozenset[str]
    stream: bool


def add_openai_audio(app: web.Application, transcriber: Transcriber) -> None:
    """Transcribe in OpenAI's shape, and list the models that can."""
    began = int(time.time())

    async def create(request: web.Request) -> web.StreamResponse:
        if request.content_type != "multipart/form-data":
            raise InvalidRequest(f"expected multipart/form-data, got {request.content_type[:80]!r}")
        with transcriber.place() as place:
            async with transcriber.uploads.receive(request) as upload:
                asked = understand(upload.fields, transcriber.recognisers.names)
                hearing = await while_connected(request, transcriber.open(place, upload.path, asked.model, asked.hints))
                if asked.stream:
                    return await _stream(request, hearing)
                heard = await while_connected(request, hearing.whole())
                return answered(heard, asked.response_format, asked.granularities)

    async def index(_request: web.Request) -> web.Response:
        names = (*transcriber.recognisers.names, *ALIASES)
        return web.json_response({"object": "list", "data": [_model(name, began) for name in names]})

    async def show(request: web.Request) -> web.Response:
        name = request.match_info["model"]
        _known(name, transcriber.recognisers.names)
        return web.json_response(_model(name, began))

    app[SHAPES] = {"/v1/": refused}
    refusals = ("not_found", "model_unavailable", "overloaded", "storage_full")
    declare(
        app,
        Route(
            "POST",
            "/v1/audio/transcriptions",
            create,
            "Transcribe a recording, as OpenAI does",
            TAG,
            Role.OPERATOR,
            (Answer(200, "As `response_format` and `stream` ask.", TranscriptionReply, media_types=STREAMED),),
            query=None,
            body=Form(TranscriptionForm, SAMPLE),
            errors=refusals,
            failure=OpenAIFailure,
            description="OpenAI's own clients work here unchanged. Other fields of theirs are accepted and left.",
        ),
        Route(
            "GET",
            "/v1/models",
            index,
            "List the recognisers, as OpenAI does",
            TAG,
            Role.VIEWER,
            (Answer(200, "Their names.", ModelList),),
            query=None,
            failure=OpenAIFailure,
        ),
        Route(
            "GET",
            # A name of the registry may have a slash in it.
            "/v1/models/{model:.+}",
            show,
            "Look a recogniser up, as OpenAI does",
            TAG,
            Role.VIEWER,
            (Answer(200, "It exists.", ModelReply),),
            query=None,
            samples={"model": ALIASES[0]},
            failure=OpenAIFailure,
        ),
    )


def understand(fields: Mapping[str, Sequence[str]], names: Sequence[str]) -> Asked:
    """The form's fields, checked. What OpenAI has and this server has not (chunking, log probabilities, speakers) is
    accepted and left. Raises InvalidRequest and NotFound with the parameter.
    """
    name = _one(fields, "model")
    if not name:
        raise invalid(InvalidRequest, "model is missing", "model")
    _known(name, names)
    response_format = _one(fields, "response_format") or "json"
    if response_format == "diarized_json":
        raise invalid(InvalidRequest, "diarized_json needs diarization, which is not there yet", "response_format")
    if response_format not in FORMATS:
        message = f"unknown response_format {response_format[:40]!r}, have: {', '.join(FORMATS)}"
        raise invalid(InvalidRequest, message, "response_format")
    asked = frozenset(fields.get("timestamp_granularities", ()))
    if wrong := sorted(asked.difference(GRANULARITIES)):
        message = f"unknown timestamp_granularities {wrong[0][:40]!r}, have: {', '.join(GRANULARITIES)}"
        raise invalid(InvalidRequest, message, "timestamp_granularities")
    if "word" in asked and response_format != "verbose_json":
        message = f"timestamps of words need response_format verbose_json, not {response_format}"
        raise invalid(InvalidRequest, message, "timestamp_granularities")
    known = hints(_language(fields), _one(fields, "prompt"), ", ".join(fields.get("keywords", ())))
    return Asked(
        None if name in ALIASES and name not in names else name,
        replace(known, temperature=_temperature(_one(fields, "temperature"))),
        response_format,
        asked or frozenset({"segment"}),
        _truth(fields, "stream"),
    )


async def _stream(request: web.Request, hearing: Hearing) -> web.StreamResponse:
    """Server-sent events. What fails after the first byte is an event, too: the status is gone by then."""
    response = web.StreamResponse(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
    response.content_type, response.charset = "text/event-stream", "utf-8"
    await response.prepare(request)
    heard: list[Transcript] = []
    try:
        async with aclosing(hearing.parts()) as parts:
            while (part := await while_connected(request, _next(parts))) is not None:
                text = f" {part.text}" if heard else part.text
                heard.append(part)
                await response.write(event({"type": "transcript.text.delta", "delta": text}))
        done = hearing.put_together(heard)
        await response.write(
            event({"type": "transcript.text.done", "text": done.text, "usage": usage(done.duration_s)})
        )
        await response.write(DONE)
    except ConnectionError:
        raise
    except Exception as error:  # the edge of a request
        failure = failure_of(request, error)
        logger.log(
            logging.ERROR if failure.internal else logging.INFO, "a stream broke off: %s", failure.body["message"]
        )
        await response.write(event(error_body(failure)))
    await response.write_eof()
    return response


async def _next(parts: Any) -> Transcript | None:
    part: Transcript | None = await anext(parts, None)
    return part


def _known(name: str, names: Sequence[str]) -> None:
    if name not in names and name not in ALIASES:
        message = f"unknown model {name[:80]!r}, have: {', '.join((*names, *ALIASES))}"
        raise invalid(NotFound, message, "model", "model_not_found")


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": OWNER}


def _one(fields: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = fields.get(name, ())
    if len(values) > 1:
        raise invalid(InvalidRequest, f"{name} was given {len(values)} times", name)
    return values[0] if values else None


def _language(fields: Mapping[str, Sequence[str]]) -> str | None:
    """`language`, or the only one of `languages`; which of several it is the engine finds out."""
    several = fields.get("languages", ())
    return _one(fields, "language") or (several[0] if len(several) == 1 else None)


def _temperature(text: str | None) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise invalid(InvalidRequest, f"temperature must be 0 to 1, got {text[:40]!r}", "temperature")
    # 0 is OpenAI's word for "as the engine sees fit".
    return value or None


def _truth(fields: Mapping[str, Sequence[str]], name: str) -> bool:
    text = (_one(fields, name) or "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise invalid(InvalidRequest, f"{name} must be true or false, got {text[:40]!r}", name)
    return text in ("true", "1")
