"""`/openapi.json` and `/docs`: the contract for programs, and for people; both work offline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from aiohttp import hdrs, web

from ..api import Answer, Route, declare, declared
from ..api.document import document
from ..console import policy

TAG = "contract"
PAGE = Path(__file__).resolve().parent.parent / "api" / "page"
FILES: Mapping[str, tuple[str, str]] = {
    "/docs": ("index.html", "text/html"),
    "/docs/page.css": ("page.css", "text/css"),
    "/docs/page.js": ("page.js", "text/javascript"),
    "/docs/schema.js": ("schema.js", "text/javascript"),
}
"""What is served where, with its media type."""


def add_routes(app: web.Application, version: str, cookie: str = "vedette") -> None:
    """Serve the document of all routes that are declared by the time it is first asked for. Reads a few small files."""
    pages = {path: (PAGE / name).read_bytes() for path, (name, _) in FILES.items()}

    @cache
    def text() -> bytes:
        return json.dumps(document(declared(app).values(), version, cookie), ensure_ascii=False).encode()

    async def contract(request: web.Request) -> web.Response:
        return _unless_known(request, text(), "application/json")

    async def page(request: web.Request) -> web.Response:
        _, media_type = FILES[request.path]
        response = _unless_known(request, pages[request.path], media_type)
        response.headers["Content-Security-Policy"] = policy(())
        return response

    declare(
        app,
        Route(
            "GET",
            "/openapi.json",
            contract,
            "Read this document",
            TAG,
            None,
            (
                Answer(200, "OpenAPI 3.1.", media_types=("application/json",)),
                Answer(304, "It is the one that `If-None-Match` names."),
            ),
            description="Made of the same models that check what is sent.",
        ),
        *(Route("GET", path, page, "The document, to read", TAG, None, (), hidden=True) for path in FILES),
    )


def _unless_known(request: web.Request, body: bytes, media_type: str) -> web.Response:
    """The body, or 304 where the client has it."""
    digest = hashlib.sha256(body).hexdigest()[:32]
    headers = {hdrs.ETAG: f'"{digest}"', hdrs.CACHE_CONTROL: "no-cache"}
    if any(each.value in ("*", digest) for each in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=media_type, charset="utf-8", headers=headers)
