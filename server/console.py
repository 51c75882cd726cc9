"""The operator's console: the files of a static export, each with the Content-Security-Policy that its page needs.

The folder is read once, at the start: a request is looked up among the paths found then and never becomes a path of the
file system, so there is nothing to traverse.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from aiohttp.web_urldispatcher import ResourceRoute, UrlMappingMatchInfo
from yarl import URL

from .api import Route, declare_resource

_IMMUTABLE = "public, max-age=31536000, immutable"
"""For `_next/static`, whose names carry a hash of their content or of the build."""
_REVALIDATE = "no-cache"

_CONTENT_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""Where Python's table has none or depends on the machine; browsers obey these strictly under `nosniff`."""

_MISSING = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Vedette</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1.5rem; }
body { color: #1b1f24; background: #fff; }
code { background: #8883; padding: .1em .35em; border-radius: .25em; }
@media (prefers-color-scheme: dark) { body { color: #e6e8eb; background: #121416; } a { color: #8ab4f8; } }
</style>
</head>
<body>
<h1>The console is not built</h1>
<p>The server runs, and its API works: see <a href="/health">/health</a>. What is missing is this page, which is built
with Node.js.</p>
<p>Install Node.js 20 or newer, stop the server, and start it with <code>make run</code>, which builds the console
first.</p>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    headers: Mapping[str, str]


def add_console(app: web.Application, directory: Path) -> bool:
    """Serve the export in `directory`, below all API routes; False when there is none. Blocking: call before the start.

    Without it, `/` answers 503 with a page that says how to build one: a probe then sees that something is missing, and
    a person reads what to do.
    """
    files = dict(_files(directory))
    console = _Console(files)
    app.router.register_resource(console)
    for route in console:
        page = Route(
            route.method, "/{page}", console.serve, "The console", "console", None, (), query=None, hidden=True
        )
        declare_resource(app, route, page)
    return "/" in files


class _Console(web.AbstractResource):
    """Matches the paths of the export and no others, so that the router's own 404, 405 and API routes stay in force.

    Its canonical path is `/`, which aiohttp tries after every longer one.
    """

    def __init__(self, files: Mapping[str, _File]) -> None:
        super().__init__(name="console")
        self._files = files
        self._routes = [ResourceRoute(method, self.serve, self) for method in (hdrs.METH_GET, hdrs.METH_HEAD)]

    @property
    def canonical(self) -> str:
        return "/"

    def url_for(self, **kwargs: str) -> URL:
        return URL("/")

    def add_prefix(self, prefix: str) -> None:
        raise RuntimeError("the console is served at / only")

    def get_info(self) -> Any:
        return {"path": "/"}

    def raw_match(self, path: str) -> bool:
        return path == "/"

    def __len__(self) -> int:
        return len(self._routes)

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        return iter(self._routes)

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """aiohttp's question: the route for this request, and the methods that its path would allow."""
        if request.path != "/" and request.path not in self._files:
            return None, set()
        for route in self._routes:
            if route.method == request.method:
                return UrlMappingMatchInfo({}, route), set()
        return None, {route.method for route in self._routes}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The file at the request's path."""
        file = self._files.get(request.path)
        if file is None:
            headers = {hdrs.CACHE_CONTROL: "no-store", "Content-Security-Policy": policy(())}
            return web.Response(text=_MISSING, content_type="text/html", status=503, headers=headers)
        if not file.path.is_file():  # a newer build took its place: FileResponse would answer 404 without the envelope
            raise web.HTTPNotFound
        return web.FileResponse(file.path, headers=dict(file.headers))


def policy(script_hashes: tuple[str, ...]) -> str:
    """The Content-Security-Policy of one page: everything from this server, and its own inline scripts by hash.

    `connect-src 'self'` covers ws: and wss: of the same host and port (CSP level 3, section 6.7.2.8).
    """
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *(f"'{value}'" for value in script_hashes))),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob: mediastream:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def inline_script_hashes(html: str) -> tuple[str, ...]:
    """CSP hash sources of the inline scripts of a page, in order and once each (CSP level 3, section 2.3.1)."""
    parser = _InlineScripts()
    # Browsers hash the text after the HTML parser has made every line end a line feed.
    parser.feed(html.replace("\r\n", "\n").replace("\r", "\n"))
    parser.close()
    digests = (hashlib.sha256(script.encode()).digest() for script in parser.scripts)
    return tuple(dict.fromkeys(f"sha256-{base64.b64encode(digest).decode()}" for digest in digests))


class _InlineScripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._parts: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" and not any(name == "src" for name, _ in attrs):
            self._parts = []

    def handle_data(self, data: str) -> None:
        if self._parts is not None:
            self._parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._parts is not None:
            self.scripts.append("".join(self._parts))
            self._parts = None


def _files(directory: Path) -> Iterator[tuple[str, _File]]:
    """Every path that is served, with its file. Hidden files, and links that lead out of the folder, are not."""
    root = directory.resolve()
    if not root.is_dir():
        return
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or f"/{name}".find("/.") >= 0 or not path.resolve().is_relative_to(root):
            continue
        hashes = inline_script_hashes(path.read_text("utf-8")) if path.suffix == ".html" else ()
        headers = {
            hdrs.CACHE_CONTROL: _IMMUTABLE if name.startswith("_next/static/") else _REVALIDATE,
            "Content-Security-Policy": policy(hashes),
        }
        if content_type := _CONTENT_TYPES.get(path.suffix):
            headers[hdrs.CONTENT_TYPE] = content_type
        file = _File(path, headers)
        for url_path in _url_paths(name):
            yield url_path, file


def _url_paths(name: str) -> Iterator[str]:
    """`x.html` and `x/index.html` are both served at /x as well."""
    yield f"/{name}"
    if name == "index.html":
        yield "/"
    elif name.endswith("/index.html"):
        folder = name.removesuffix("/index.html")
        yield f"/{folder}"
        yield f"/{folder}/"
    elif name.endswith(".html"):
        yield f"/{name.removesuffix('.html')}"
