"""Logs: one line a record, for people or as JSON, with the ids of request, session and source, without credentials."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Literal, TextIO

from aiohttp.http_exceptions import HttpProcessingError
from pydantic.alias_generators import to_camel

LogKind = Literal["console", "json"]

QUIETED = ("aioice", "aiortc", "aiosqlite", "asyncpg", "matplotlib", "PIL", "tortoise", "ultralytics", "urllib3")
"""Libraries whose talk below WARNING is about themselves: aioice alone writes a line per STUN message."""

_fields: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default={})  # noqa: B039 (never written to)

_SECRETS = (
    # RFC 3986 section 3.2.1: user information ends at the last @ before the path.
    (re.compile(r"(?<=://)[^\s/?#\"'<>]*@"), "***@"),
    # Query parameters that carry a secret; `?token=` is for players that cannot set headers.
    (
        re.compile(
            r"(?i)([?&](?:access_|auth_)?(?:token|key|api_?key|password|passwd|pwd|secret|signature)=)[^&\s\"'#]+"
        ),
        r"\1***",
    ),
    # RFC 6750 header values, and the WebSocket subprotocol that carries a token.
    (re.compile(r"(?i)\b(bearer[ .])[\w~+/.=-]{6,}"), r"\1***"),
    # Whoever knows the address of a WHIP or WHEP connection may end it.
    (re.compile(r"(?<=/wh[ie]p/)[0-9a-f]{16,}"), "***"),
    # Our own tokens wherever they are, as they are and in base64.
    (re.compile(r"vdt_[\w-]{16,}|dmR0X[\w+/-]{20,}"), "***"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_COLOURS = {
    "DEBUG": "\x1b[2m",
    "INFO": "\x1b[32m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
}
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def redact(text: str) -> str:
    """The text with the credentials in its URLs and bearer tokens replaced by ***."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


@contextmanager
def log_context(**fields: str | None) -> Iterator[None]:
    """Add fields (session_id, source_id, …) to the records of this task and of those it starts; None takes one away."""
    merged = {**_fields.get(), **fields}
    token = _fields.set({name: value for name, value in merged.items() if value is not None})
    try:
        yield
    finally:
        _fields.reset(token)


class ConsoleFormatter(logging.Formatter):
    """`12:03:11.123 INFO     server.sessions         live  session_id=0198…`, coloured for a terminal."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One record as text; lines after the first are indented, so that no client can forge a line of its own."""
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        level = f"{record.levelname:<8}"
        context = "".join(f"  {name}={_one_line(value)}" for name, value in _context_of(record).items())
        if self._colour:
            level = f"{_COLOURS.get(record.levelname, '')}{level}{_PLAIN}"
            context = f"{_DIM}{context}{_PLAIN}" if context else ""
        text = f"{at} {level} {record.name:<24} {_safe(record.getMessage())}{context}"
        if stack := _stack_of(self, record):
            text = f"{text}\n    {_safe(stack)}"
        return redact(text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at (Unix seconds), level, logger, message, the context's ids, and stack."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as a line of JSON."""
        line: dict[str, str | float] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        line.update((to_camel(name), redact(value)) for name, value in _context_of(record).items())
        if stack := _stack_of(self, record):
            line["stack"] = redact(stack)
        return json.dumps(line)


class _Context(logging.Filter):
    """Keeps the fields that were in force when the record was made."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.context = _fields.get()
        return True


class _MalformedRequests(logging.Filter):
    """aiohttp logs a stack for each request that is not HTTP: anyone could fill the disk. One line tells as much."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args = "%s: %s", (record.getMessage(), f"{error.message[:200]!r}")
            record.exc_info = record.exc_text = None
        return True


class _Adopt(logging.Filter):
    """Takes over a logger that, when imported, sets its level, stops propagation and writes to stdout by itself."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            self._handler.handle(record)
        return False


def configure(kind: LogKind, level: str, stream: TextIO) -> Callable[[], None]:
    """Send the whole process's logs to `stream`; the returned function puts back what was there before.

    Raises ValueError for an unknown kind or level.
    """
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise ValueError(f"unknown log level {level!r}, have: debug, info, warning, error, critical")
    handler = logging.StreamHandler(stream)
    if kind == "json":
        handler.setFormatter(JsonFormatter())
    elif kind == "console":
        handler.setFormatter(ConsoleFormatter(colour=stream.isatty()))
    else:
        raise ValueError(f"unknown log kind {kind!r}, have: console, json")
    handler.addFilter(_MalformedRequests())
    handler.addFilter(_Context())

    root, adopted, adopt = logging.getLogger(), logging.getLogger("ultralytics"), _Adopt(handler)
    before_root = root.level, list(root.handlers)
    before_quieted = {name: logging.getLogger(name).level for name in QUIETED}
    root.setLevel(levels[level.upper()])
    root.handlers[:] = [handler]
    adopted.addFilter(adopt)
    for name in QUIETED:
        logging.getLogger(name).setLevel(max(logging.WARNING, levels[level.upper()]))

    def restore() -> None:
        root.setLevel(before_root[0])
        root.handlers[:] = before_root[1]
        adopted.removeFilter(adopt)
        for name, previous in before_quieted.items():
            logging.getLogger(name).setLevel(previous)

    return restore


def _context_of(record: logging.LogRecord) -> Mapping[str, str]:
    context: Mapping[str, str] = getattr(record, "context", {})
    return context


def _stack_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _safe(text: str) -> str:
    """Control characters made visible (a terminal obeys them), later lines indented."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text).replace("\n", "\n    ")


def _one_line(value: str) -> str:
    return _safe(value).replace("\n", "\\n")
