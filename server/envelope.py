"""The error envelope: whatever a handler raised, as `{"error": {code, message, details?}}` and an HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from tracks.errors import InvalidRequest, VedetteError

from .logs import redact

_CODE_OF_STATUS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "payload_too_large",
    415: "unsupported_media",
    429: "rate_limited",
    503: "overloaded",
    507: "storage_full",
}
_SHOWN_CHARS = 80
_SHOWN_FIELDS = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """How a request failed, for the answer and for the log."""

    status: int
    body: Mapping[str, Any]
    """`{code, message, details?}`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    """A fault of ours: the stack goes to the log, and none of it to the client."""

    def response(self) -> web.Response:
        """The answer on the wire."""
        return web.json_response({"error": self.body}, status=self.status, headers=self.headers)


def failure_of(request: web.Request, error: Exception) -> Failure:
    """The failure that `error`, raised while this request was handled, stands for."""
    if isinstance(error, ValidationError):
        error = invalid(error)
    elif isinstance(error, web.RequestPayloadError):
        error = InvalidRequest("the body broke off or is not encoded as its headers say")
    if isinstance(error, VedetteError):
        return Failure(error.status, _redacted(error.body()), _headers(error), internal=error.code == "internal")
    if isinstance(error, web.HTTPException):
        return _of_http(request, error)
    return Failure(
        500, {"code": "internal", "message": "something went wrong in the server; its log says what"}, internal=True
    )


def invalid(error: ValidationError, model: type[BaseModel] | None = None) -> InvalidRequest:
    """What pydantic found, naming each field, its value and what would be right."""
    fields = []
    for found in error.errors(include_url=False, include_context=False)[:_SHOWN_FIELDS]:
        name = ".".join(str(part) for part in found["loc"])
        if found["type"] == "extra_forbidden":
            message = "unknown field"
            if model is not None and len(found["loc"]) == 1:
                message += f", have: {', '.join(_names(model)) or 'none'}"
        elif found["type"] == "missing":
            message = "is missing"
        elif found["type"] == "json_invalid":
            message = found["msg"]
        elif found["type"] == "value_error":  # a check of ours, which says it all
            message = found["msg"].removeprefix("Value error, ")
        else:
            message = f"{found['msg']}, got {_shown(found['input'])}"
        fields.append({"field": name, "message": message})
    first = "; ".join(
        f"{entry['field']}: {entry['message']}" if entry["field"] else entry["message"] for entry in fields
    )
    return InvalidRequest(first, {"fields": fields})


def _of_http(request: web.Request, error: web.HTTPException) -> Failure:
    """aiohttp's own errors: those of its router, and its limits. Their headers (Allow) are kept."""
    code = _CODE_OF_STATUS.get(error.status, "invalid_request" if error.status < 500 else "internal")
    message = error.text or error.reason
    if message == f"{error.status}: {error.reason}":  # aiohttp's own text, which names nothing
        message = error.reason
        if error.status == 404:
            message = f"nothing is at {redact(request.rel_url.raw_path)[:200]}"
    if isinstance(error, web.HTTPMethodNotAllowed):
        message = f"{error.method} is not allowed here, have: {', '.join(sorted(error.allowed_methods))}"
    kept = {
        name: value for name, value in error.headers.items() if name not in (hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH)
    }
    return Failure(error.status, {"code": code, "message": message}, kept, internal=code == "internal")


def _headers(error: VedetteError) -> dict[str, str]:
    """What HTTP has a header for: how to come in (RFC 6750 section 3), and when to try again.

    `details.retryAfter` becomes whole seconds (RFC 9110 section 10.2.3).
    """
    headers: dict[str, str] = {}
    if error.code == "unauthorized":
        headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="vedette"'
    seconds = (error.details or {}).get("retryAfter")
    if isinstance(seconds, int | float):
        headers[hdrs.RETRY_AFTER] = str(max(1, -int(-seconds // 1)))
    return headers


def _redacted(value: Any) -> Any:
    """Whatever a message repeats of a request, or of a URL."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(each) for key, each in value.items()}
    return [_redacted(each) for each in value] if isinstance(value, list | tuple) else value


def _names(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _shown(value: object) -> str:
    text = redact(repr(value))
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
