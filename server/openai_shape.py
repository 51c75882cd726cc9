"""Answers, errors and events as OpenAI's audio API has them (https://platform.openai.com/docs/api-reference/audio)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from tracks.asr.languages import LANGUAGES
from tracks.errors import VedetteError
from tracks.types import Segment

from .envelope import Failure
from .subtitles import to_srt, to_vtt
from .transcription import Heard, wire_s

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
DONE = b"data: [DONE]\n\n"
SHOULD_RETRY = "x-should-retry"
"""What the client heeds before its own rule, which is to retry 408, 409, 429 and 5xx."""
RETRY_S = "2"
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_IN_VAIN = frozenset({"internal", "model_unavailable", "storage_full"})
"""Codes of 5xx that the next try a second later meets again."""
_SEEKS_PER_S = 100
"""`seek` counts frames of 10 ms."""


def answered(heard: Heard, response_format: str, granularities: frozenset[str]) -> web.Response:
    """A transcript in one of `FORMATS`."""
    if response_format == "json":
        return web.json_response({"text": heard.text, "usage": usage(heard.duration_s)})
    if response_format == "verbose_json":
        return web.json_response(_verbose(heard, granularities))
    bodies = {"text": lambda: heard.text + "\n", "srt": lambda: to_srt(heard.segments)}
    text = bodies.get(response_format, lambda: to_vtt(heard.segments))()
    return web.Response(text=text, content_type="text/plain", charset="utf-8")


def usage(duration_s: float) -> dict[str, Any]:
    """What was used: whole seconds, a begun one counts."""
    return {"type": "duration", "seconds": math.ceil(duration_s)}


def event(data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def error_body(failure: Failure) -> dict[str, Any]:
    """`{"error": {...}}`: our envelope with the type and the parameter that OpenAI's has.

    `details.param` names the parameter, `details.code` a code of OpenAI's that is finer than ours.
    """
    details = dict(failure.body.get("details") or {})
    kind = _TYPES.get(failure.status) or ("server_error" if failure.status >= 500 else "invalid_request_error")
    error = {**failure.body, "type": kind, "param": details.pop("param", None)}
    error["code"] = details.pop("code", error["code"])
    error.pop("details", None)
    return {"error": {**error, "details": details} if details else error}


def refused(failure: Failure) -> web.Response:
    """A failure as an answer that tells the client whether to try again."""
    headers = dict(failure.headers)
    if failure.body["code"] in _IN_VAIN:
        headers[SHOULD_RETRY] = "false"
    elif failure.status in (429, 503):
        headers.setdefault(hdrs.RETRY_AFTER, RETRY_S)
    return web.json_response(error_body(failure), status=failure.status, headers=headers)


def invalid(error: type[VedetteError], message: str, param: str, code: str | None = None) -> VedetteError:
    """An error about one parameter."""
    return error(message, {"param": param} if code is None else {"param": param, "code": code})


def _verbose(heard: Heard, granularities: frozenset[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": "unknown" if heard.language is None else LANGUAGES.get(heard.language, heard.language),
        "duration": wire_s(heard.duration_s),
        "text": heard.text,
        "usage": usage(heard.duration_s),
    }
    if "segment" in granularities:
        body["segments"] = [_segment(number, each) for number, each in enumerate(heard.segments)]
    if "word" in granularities:
        body["words"] = [
            {"word": each.text.strip(), "start": wire_s(each.start_s), "end": wire_s(each.end_s)}
            for each in heard.words
        ]
    return body


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": round(segment.start_s * _SEEKS_PER_S),
        "start": wire_s(segment.start_s),
        "end": wire_s(segment.end_s),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }
