"""An artifact as the answer to `GET`: conditional and by ranges (RFC 9110, sections 13 and 14).

aiohttp's own `FileResponse` is not used: its ETag is made of time and size, not of the content; it sends a part where
If-Range names another ETag; it answers 416 to ranges that are to be ignored; and it knows files only.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from aiohttp import hdrs, web

from .artifacts import Artifact
from .envelope import Failure

SUFFIXES: Mapping[str, str] = {"image/jpeg": ".jpg", "video/mp4": ".mp4", "video/webm": ".webm"}
"""Of each media type that is shown by browsers; others are given as bytes to be saved."""
HEADERS: Mapping[str, str] = {
    hdrs.ACCEPT_RANGES: "bytes",
    # An id never gets other content.
    hdrs.CACHE_CONTROL: "private, max-age=31536000, immutable",
    # Opened by itself it is a page of its own, without scripts and without this origin.
    "Content-Security-Policy": "sandbox; default-src 'none'; media-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

_RANGE = re.compile(r"bytes=[ \t]*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))[ \t]*", re.IGNORECASE)

Read = Callable[[int, int], AsyncGenerator[bytes, None]]
"""The bytes from a position up to another."""


async def answer(request: web.Request, artifact: Artifact, read: Read) -> web.StreamResponse:
    """200, 206, 304, 412 or 416. Raises what `read` raises at its first piece."""
    etag = f'"{artifact.sha256}"'
    headers = {**HEADERS, hdrs.ETAG: etag}
    if request.if_match is not None and not any(
        each.value == "*" or (each.value == artifact.sha256 and not each.is_weak) for each in request.if_match
    ):
        refused = {"code": "conflict", "message": "the artifact is not one that If-Match names"}
        return Failure(412, refused, headers).response()
    if request.if_none_match is not None and any(
        each.value in ("*", artifact.sha256) for each in request.if_none_match
    ):
        return web.Response(status=304, headers=headers)
    start, stop, status = 0, artifact.bytes, 200
    # Ranges are defined for GET only, and If-Range with another validator asks for all of it.
    if request.method == hdrs.METH_GET and request.headers.get(hdrs.IF_RANGE, etag) == etag:
        part = _part(request, artifact.bytes)
        if part is not None:
            (start, stop), status = part, 206
            if start >= stop:
                refused = {"code": "invalid_request", "message": f"the artifact ends at byte {artifact.bytes}"}
                return Failure(416, refused, {**headers, hdrs.CONTENT_RANGE: f"bytes */{artifact.bytes}"}).response()
            headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{artifact.bytes}"
    response = web.StreamResponse(status=status, headers=headers)
    known = artifact.media_type in SUFFIXES
    response.content_type = artifact.media_type if known else "application/octet-stream"
    response.content_length = stop - start
    response.headers[hdrs.CONTENT_DISPOSITION] = f'{"inline" if known else "attachment"}; filename="{_name(artifact)}"'
    if request.method == hdrs.METH_HEAD or start == stop:
        await response.prepare(request)
        return response
    async with aclosing(read(start, stop)) as pieces:
        # The first piece before the headers: what is not there is an error, not a broken answer.
        piece = await anext(pieces)
        await response.prepare(request)
        await response.write(piece)
        async for piece in pieces:
            await response.write(piece)
    await response.write_eof()
    return response


def _part(request: web.Request, size: int) -> tuple[int, int] | None:
    """First byte and end of the part that is asked for; the end is not after the first where there is none.

    None when there is no range, or one to be ignored: several, another unit, malformed (section 14.2).
    """
    found = _RANGE.fullmatch(request.headers.get(hdrs.RANGE, ""))
    if found is None or len(request.headers.getall(hdrs.RANGE)) > 1:
        return None
    first, last, tail = found.groups()
    if tail is not None:
        return max(0, size - int(tail)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size


def _name(artifact: Artifact) -> str:
    return f"vedette-{artifact.kind}-{artifact.id}{SUFFIXES.get(artifact.media_type, '')}"
