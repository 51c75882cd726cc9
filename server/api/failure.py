"""The error envelope as a model, and what each stable code means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from tracks.errors import CODES
from tracks.events import Model

from .route import example


class Meaning(NamedTuple):
    """What a code says."""

    says: str
    example: str
    """A message that comes with it."""


MEANINGS: Mapping[str, Meaning] = {
    "invalid_request": Meaning(
        "The request cannot be understood, or breaks a rule of its schema.",
        "unknown profile 'ludicrous', have: accurate, auto, cpu-only, fast",
    ),
    "unauthorized": Meaning("A token is needed, and none that is known was given.", "this needs a token"),
    "forbidden": Meaning(
        "The role of the token, or the Host or Origin of the request, does not allow it.",
        "origin 'https://example.org' may not use this server; VEDETTE_ALLOWED_ORIGINS allows others",
    ),
    "not_found": Meaning("There is no such thing.", "no session '019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10'"),
    "conflict": Meaning(
        "It is in a state that does not allow this.",
        "session 019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10 has ended: stopped by a client",
    ),
    "precondition_failed": Meaning(
        "It is another one by now than the one that `If-Match` names.", "If-Match is not the ETag of this connection"
    ),
    "payload_too_large": Meaning(
        "More than the server takes: bytes, seconds or pixels.", "the body is larger than 1048576 bytes"
    ),
    "unsupported_media": Meaning(
        "No format, codec or content type that the server takes.",
        "expected Content-Type application/json, got 'text/plain'",
    ),
    "unprocessable": Meaning(
        "An offer that can be understood, but not be taken as a whole: none of it is.",
        "no video codec in common: offered AV1, have: VP8, H264",
    ),
    "condition_missing": Meaning(
        "The request must say by `If-Match` which one it is meant for.",
        "If-Match with the ETag of the answer is needed",
    ),
    "rate_limited": Meaning("Too many requests, or too many failed tries.", "too many failed tries, wait 30 s"),
    "internal": Meaning(
        "A fault of the server; its log says more.", "something went wrong in the server; its log says what"
    ),
    "source_unreachable": Meaning("A source cannot be opened, or gives nothing.", "the source does not answer"),
    "forbidden_url": Meaning("A URL leads where sources may not lead.", "127.0.0.1 is a loopback address"),
    "overloaded": Meaning("Something bounded is used up; try again later.", "64 sessions are running, end one first"),
    "model_unavailable": Meaning(
        "A model is missing, has the wrong hash or cannot run here.", "the detector is still loading"
    ),
    "db_unavailable": Meaning(
        "The database cannot be reached, or refuses to write.", "database data/vedette.db is closed"
    ),
    "storage_full": Meaning("There is no room left.", "there is no room on the disk for this file"),
}
"""Of every code in `tracks.errors`."""


class ErrorBody(Model):
    """What went wrong."""

    code: Annotated[str, Field(json_schema_extra={"enum": [*CODES]})]
    """Stable: what programs look at."""
    message: str
    """For people: it names the value, and the choices."""
    details: dict[str, Any] | None = None
    """Where there is more for programs: `fields` of a body, `retryAfter` in seconds."""


class ErrorEnvelope(Model):
    """What every error looks like."""

    model_config = example(error={"code": "not_found", "message": MEANINGS["not_found"].example})

    error: ErrorBody
