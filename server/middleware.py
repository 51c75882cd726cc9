"""What surrounds every request: its id, the Host and Origin checks, the error envelope, headers, a line in the log."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypedDict, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from tracks.errors import InvalidRequest, PayloadTooLarge, UnsupportedMedia
from tracks.events.envelope import new_id

from .envelope import Failure, failure_of, invalid
from .logs import log_context, redact
from .origin import SECURITY_HEADERS, AccessPolicy, is_preflight

logger = logging.getLogger(__name__)

MAX_JSON_BYTES = 1 << 20
MAX_URL_BYTES = 8192
BODY_TIMEOUT_S = 15.0

CLIENT_LEFT = 499
"""Status of an answer that nobody reads, as nginx has it."""

REQUEST_ID = web.RequestKey("request_id", str)
_BEGUN = web.RequestKey("begun", bool)

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_QUIET = ("/metrics", "/health", "/_next/")
"""Asked for all the time, or in dozens: their lines are for debugging."""

SHAPES: web.AppKey[Mapping[str, Callable[[Failure], web.Response]]] = web.AppKey("shapes")
"""What failures look like below a path, where that is not the envelope; also those of the layers around its routes."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
M = TypeVar("M", bound=BaseModel)


class RunnerOptions(TypedDict):
    """Keyword arguments of `web.AppRunner`."""

    keepalive_timeout: float
    lingering_time: float
    access_log: None
    max_line_size: int


def runner_options(header_timeout_s: float = 15.0) -> RunnerOptions:
    """Options under which no connection stays open for nothing.

    aiohttp 3.14 has no timeout of its own for headers; its keep-alive timer does the same, as it starts with the
    connection, is not moved by bytes that arrive, and closes whatever has not completed a request (`web_protocol.py`,
    `connection_made` and `_process_keepalive`). Its default is over an hour. The body has its limit in `read_json`,
    and what is left unread of one is waited for during `lingering_time`. aiohttp's access log is replaced by ours.
    A URL that is too long for us gets past aiohttp, up to a bound: the answer then says what it is (`server/front.py`).
    """
    return {
        "keepalive_timeout": header_timeout_s,
        "lingering_time": 5.0,
        "access_log": None,
        "max_line_size": 8 * MAX_URL_BYTES,
    }


def add_middlewares(app: web.Application, policy: AccessPolicy) -> None:
    """Put the middlewares of this module around all routes of the application, outermost first."""
    app.middlewares.append(_requests)
    app.middlewares.append(_guard(policy))

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        # A signal, since a middleware comes too late for files, streams and sockets: they send headers in the handler.
        request[_BEGUN] = True
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        # `Expect:` is answered by aiohttp before any middleware has run.
        response.headers["X-Request-Id"] = request.get(REQUEST_ID) or _request_id(request)
        response.headers.update(policy.headers(request))
        vary = response.headers.get(hdrs.VARY)
        response.headers[hdrs.VARY] = f"{vary}, Origin" if vary else "Origin"

    app.on_response_prepare.append(add_headers)


async def read_json(request: web.Request, model: type[M], max_bytes: int = MAX_JSON_BYTES) -> M:
    """The body as a validated model.

    Raises UnsupportedMedia when it is not declared as JSON, PayloadTooLarge above `max_bytes` (after decompression),
    and InvalidRequest, naming the fields, when it is not JSON (RFC 8259: no NaN), breaks the schema or does not arrive.
    """
    content_type = request.content_type.lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise UnsupportedMedia(f"expected Content-Type application/json, got {content_type[:100]!r}")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMedia(f"expected JSON in UTF-8 (RFC 8259), got charset {(request.charset or '')[:40]!r}")
    body = await _read(request, max_bytes)
    if not body.strip():
        raise InvalidRequest("expected a JSON object, got an empty body")
    try:
        from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error, model) from None


async def read_text(request: web.Request, content_type: str, max_bytes: int) -> str:
    """The body as text in UTF-8.

    Raises UnsupportedMedia when it is declared as something else, PayloadTooLarge above `max_bytes`, and InvalidRequest
    when it is no such text or does not arrive.
    """
    if request.content_type.lower() != content_type:
        raise UnsupportedMedia(f"expected Content-Type {content_type}, got {request.content_type[:100]!r}")
    try:
        return (await _read(request, max_bytes)).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None


async def _read(request: web.Request, max_bytes: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > max_bytes:
                    raise PayloadTooLarge(f"the body is larger than {max_bytes} bytes")
    except TimeoutError:
        raise InvalidRequest(f"the body did not arrive within {BODY_TIMEOUT_S:g} s") from None
    return bytes(body)


@web.middleware
async def _requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Names the request, answers its errors in the envelope, and logs it once."""
    request[REQUEST_ID] = _request_id(request)
    context = {name: request.match_info.get(name) for name in ("session_id", "source_id") if name in request.match_info}
    if trace := _TRACEPARENT.fullmatch(request.headers.get("traceparent", "")):
        context["trace_id"] = trace[1]
    started_s = time.monotonic()
    with log_context(request_id=request[REQUEST_ID], **context):
        try:
            response = await handler(request)
        except ConnectionError as error:
            if request.transport is None or request.transport.is_closing():
                logger.debug("%s: the client left", _named(request))
                # Nobody reads it. What is raised here aiohttp would log as a failure of ours.
                return web.Response(status=CLIENT_LEFT)
            return _fail(request, error, started_s)
        except web.HTTPException as error:
            if error.status < 400:  # redirects
                _log(request, error.status, started_s)
                raise
            return _fail(request, error, started_s)
        except Exception as error:  # the edge of a request: it is logged, and answered
            return _fail(request, error, started_s)
        _log(request, response.status, started_s)
        return response


def _fail(request: web.Request, error: Exception, started_s: float) -> web.Response:
    failure = failure_of(request, error)
    _log(request, failure.status, started_s, failure, error)
    if request.get(_BEGUN) and request.transport is not None:
        # This answer would land in the middle of the one that had begun: what was sent goes out, and nothing after it.
        request.transport.close()
    shapes = request.app.get(SHAPES, {})
    shape = next((shapes[path] for path in shapes if request.path.startswith(path)), Failure.response)
    return shape(failure)


def _log(
    request: web.Request, status: int, started_s: float, failure: Failure | None = None, error: Exception | None = None
) -> None:
    took_ms = (time.monotonic() - started_s) * 1e3
    if failure is not None and failure.internal:
        logger.error("%s %d in %.1f ms", _named(request), status, took_ms, exc_info=error)
    elif failure is not None and not request.path.startswith(_QUIET):
        level = logging.WARNING if status >= 500 else logging.INFO
        code, message = failure.body["code"], failure.body["message"]
        logger.log(level, "%s %d in %.1f ms: %s: %s", _named(request), status, took_ms, code, message)
    else:
        # Reading is what pages do all the time; changing something is news.
        quiet = request.method in (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS) or request.path.startswith(_QUIET)
        logger.log(logging.DEBUG if quiet else logging.INFO, "%s %d in %.1f ms", _named(request), status, took_ms)


def _guard(policy: AccessPolicy) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        policy.check(request)
        if len(request.raw_path) > MAX_URL_BYTES:
            raise InvalidRequest(f"the URL is longer than {MAX_URL_BYTES} bytes")
        own = request.match_info.http_exception is None  # WHIP and WHEP have an OPTIONS of their own
        if is_preflight(request) and policy.is_allowed_origin(request) and not own:
            return web.Response(status=204)
        return await handler(request)

    return guard


def _request_id(request: web.Request) -> str:
    given = request.headers.get("X-Request-Id", "")
    return given if _SANE_ID.fullmatch(given) else new_id()


def _named(request: web.Request) -> str:
    # The raw path is still percent-encoded: no line break gets into the log.
    return redact(f"{request.method} {request.rel_url.raw_path_qs}"[:500])
