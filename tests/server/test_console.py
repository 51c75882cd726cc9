"""The static export: clean URLs, caching, a policy per page, nothing outside the folder, a page when it is missing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from server.console import add_console, inline_script_hashes
from server.middleware import add_middlewares
from server.origin import AccessPolicy

Client = TestClient[web.Request, web.Application]
Serve = Callable[[Path], Awaitable[Client]]

INLINE = 'self.__next_f.push([1,"a < b && c > d"])'
PAGE = f'<!doctype html><head><script src="/_next/static/a.js"></script></head><body><script>{INLINE}</script></body>'


@pytest.fixture
def export(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    files = {
        "index.html": PAGE,
        "settings.html": "<h1>settings</h1>",
        "review/index.html": "<h1>review</h1>",
        "sessions.html": "<h1>a page named as an API route</h1>",
        "_next/static/chunks/app/[id]-1f.js": "console.log(1)",
        "_next/static/media/a.woff2": "font",
        "favicon.ico": "icon",
        ".env": "SECRET=1",
        ".git/config": "SECRET=1",
    }
    for name, content in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "secret.txt").write_text("SECRET=1")
    (out / "link.txt").symlink_to(tmp_path / "secret.txt")
    return out


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    clients: list[Client] = []

    async def start(directory: Path) -> Client:
        async def sessions(request: web.Request) -> web.Response:
            return web.json_response({"sessions": []})

        app = web.Application()
        add_middlewares(app, AccessPolicy("127.0.0.1"))
        app.router.add_get("/sessions", sessions)
        app.router.add_post("/offer", sessions)
        add_console(app, directory)
        client: Client = TestClient(TestServer(app))
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/", "push"),
        ("/index.html", "push"),
        ("/settings", "settings"),
        ("/settings.html", "settings"),
        ("/review", "review"),
        ("/review/", "review"),
        ("/review/index.html", "review"),
        ("/favicon.ico", "icon"),
        ("/_next/static/chunks/app/[id]-1f.js", "console.log"),
        ("/_next/static/chunks/app/%5Bid%5D-1f.js", "console.log"),
    ],
)
async def test_files_are_served_at_clean_urls(serve: Serve, export: Path, path: str, content: str) -> None:
    """x.html and x/index.html are at /x, everything else at its own path."""
    client = await serve(export)
    response = await client.get(URL(path, encoded=True))
    assert response.status == 200
    assert content in await response.text()


async def test_head_answers_without_a_body(serve: Serve, export: Path) -> None:
    """HEAD is GET without the content."""
    response = await (await serve(export)).head("/")
    assert response.status == 200
    assert response.headers["Content-Length"] == str(len(PAGE))
    assert await response.read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/_next/../../secret.txt",
        "//etc/passwd",
        "/link.txt",
        "/.env",
        "/.git/config",
        "/_next",
        "/_next/static/",
        "/index.html%00.js",
        "/nothing",
    ],
)
async def test_nothing_else_is_served(serve: Serve, export: Path, path: str) -> None:
    """Traversal, links out of the folder, hidden files, folders: all are 404 in the envelope."""
    client = await serve(export)
    # Through a plain socket: client libraries tidy such paths up before they send them.
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"code": "not_found"' in answer
    assert b"SECRET" not in answer


async def test_api_routes_come_first(serve: Serve, export: Path) -> None:
    """A page with the name of a route does not hide it, and the router's 405 stays."""
    client = await serve(export)
    assert await (await client.get("/sessions")).json() == {"sessions": []}
    assert (await client.post("/offer")).status == 200
    wrong = await client.get("/offer")
    assert wrong.status == 405
    assert wrong.headers["Allow"] == "POST"


async def test_writing_to_a_page_is_not_allowed(serve: Serve, export: Path) -> None:
    """A page exists, but only to be read; a path that does not exist is 404 for every method."""
    client = await serve(export)
    response = await client.post("/settings")
    assert response.status == 405
    assert response.headers["Allow"] == "GET,HEAD"
    assert (await client.post("/nothing")).status == 404


async def test_hashed_files_are_kept_and_pages_are_revalidated(serve: Serve, export: Path) -> None:
    """`_next/static` never changes under its name; a page answers 304 until it does."""
    client = await serve(export)
    static = await client.get("/_next/static/media/a.woff2")
    assert static.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    page = await client.get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    assert "Last-Modified" in page.headers
    again = await client.get("/", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/_next/static/chunks/app/[id]-1f.js", "text/javascript; charset=utf-8"),
        ("/_next/static/media/a.woff2", "font/woff2"),
    ],
)
async def test_types_are_right_under_nosniff(serve: Serve, export: Path, path: str, content_type: str) -> None:
    """A browser that may not guess gets the type it needs."""
    response = await (await serve(export)).get(path)
    assert response.headers["Content-Type"] == content_type
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_policy_of_a_page_allows_its_own_inline_scripts_only(serve: Serve, export: Path) -> None:
    """The hash of each inline script is in its page's policy, in no other's, and 'unsafe-inline' is in none."""
    client = await serve(export)
    digest = base64.b64encode(hashlib.sha256(INLINE.encode()).digest()).decode()
    policy = (await client.get("/")).headers["Content-Security-Policy"]
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "connect-src 'self';" in policy
    assert "media-src 'self' blob: mediastream:;" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in (await client.get("/settings")).headers["Content-Security-Policy"]


def test_inline_scripts_are_hashed_as_browsers_see_them() -> None:
    """Attributes do not matter, entities are not decoded, CRLF counts as LF, a script with src has no hash."""
    text = "if (a &amp;&amp; b) {\n}"
    expected = f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
    crlf = text.replace("\n", "\r\n")
    html = f'<SCRIPT id="x">{crlf}</SCRIPT><script src="/a.js"></script><script>{text}</script>'
    assert inline_script_hashes(html) == (expected,)


async def test_without_an_export_the_page_says_how_to_build_it(serve: Serve, tmp_path: Path) -> None:
    """/ answers 503 with a readable page, the API works, unknown paths stay 404."""
    client = await serve(tmp_path / "nowhere")
    response = await client.get("/")
    assert response.status == 503
    assert response.content_type == "text/html"
    text = await response.text()
    assert "make run" in text
    assert "Node.js 20" in text
    assert (await client.get("/sessions")).status == 200
    assert (await client.get("/index.html")).status == 404


async def test_a_file_that_a_newer_build_removed_is_not_found(serve: Serve, export: Path) -> None:
    """It is 404 in the envelope, not a crash."""
    client = await serve(export)
    (export / "settings.html").unlink()
    response = await client.get("/settings")
    assert response.status == 404
    assert (await response.json())["error"]["code"] == "not_found"


def test_whether_there_is_a_console_is_told(export: Path, tmp_path: Path) -> None:
    """The start can say in the terminal what is missing."""
    assert add_console(web.Application(), export)
    assert not add_console(web.Application(), tmp_path / "nowhere")
