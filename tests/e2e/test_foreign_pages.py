"""Pages of strangers in a real Chromium: another origin, another port of the same host, and a name that is rebound."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import BrowserContext, Page, async_playwright

from server.api import Answer, Route, declare
from server.app import serve
from server.roles import Role
from server.settings import Settings
from server.tokens import Tokens
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.waiting import until

EVIL = "evil.test"
SOCKET = "/ws/test"

TRY_ALL = """
async ([base, path]) => {
  const wish = JSON.stringify({kind: 'webcam', name: 'mine now'});
  const json = {'Content-Type': 'application/json'};
  const use = (path, options) => fetch(base + path, {credentials: 'include', ...options});
  const outcome = (promise) => promise.then((answer) => `read ${answer.status}`, () => 'refused');
  const socket = new Promise((resolve) => {
    const opened = new WebSocket(base.replace('http', 'ws') + path);
    opened.onopen = () => resolve('open');
    opened.onerror = () => resolve('refused');
  });
  const found = {
    read: await outcome(use('/sources')),
    make: await outcome(use('/sources', {method: 'POST', headers: json, body: wish})),
    remove: await outcome(use('/sources/x', {method: 'DELETE'})),
    socket: await socket,
  };
  // Last, as they sign out whoever is signed in.
  const frame = Object.assign(document.createElement('iframe'), {name: 'target'});
  const form = document.createElement('form');
  Object.assign(form, {method: 'POST', action: base + '/logout', target: 'target'});
  document.body.append(frame, form);
  form.submit();
  navigator.sendBeacon(base + '/logout', wish);
  await outcome(use('/logout', {method: 'POST', mode: 'no-cors', body: wish}));
  return found;
}
"""
"""Everything that a page can try on a server, and what it could read of the answers."""
BLIND = 3
"""Of these it could read none: a form, a beacon, a request without CORS."""


@dataclass
class Served:
    """The real server, and what it answered: (method, path, Host, Origin, status) of every request."""

    app: web.Application
    answers: list[tuple[str, str, str, str, int]] = field(default_factory=list)

    def statuses(self, method: str, path: str) -> list[int]:
        return [each[-1] for each in self.answers if each[:2] == (method, path)]

    async def blind_tries(self) -> set[int]:
        """What the requests were answered that the page cannot wait for."""
        await until(lambda: len(self.statuses("POST", "/logout")) >= BLIND)
        return set(self.statuses("POST", "/logout"))


@asynccontextmanager
async def served(data_dir: Path, **settings: Any) -> AsyncIterator[Served]:
    """The whole server but its models, with a socket that greets."""

    async def greet(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.close()
        return response

    serving = serve(
        Settings(data_dir=data_dir, web_dir=data_dir / "none", **settings),
        load=lambda choice, **options: BrightDetector(),
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server:
        found = Served(server.app)
        declare(
            server.app,
            Route("GET", SOCKET, greet, "Greet", "test", Role.VIEWER, (Answer(101, "A greeting."),), query=None),
        )

        async def note(request: web.Request, response: web.StreamResponse) -> None:
            headers = request.headers
            who = headers.get("Host", ""), headers.get("Origin", "")
            found.answers.append((request.method, request.path, *who, response.status))

        server.app.on_response_prepare.append(note)
        yield found


@asynccontextmanager
async def listening(app: web.Application, port: int = 0) -> AsyncIterator[int]:
    """The application on a port of this machine."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def strangers_site() -> web.Application:
    """A page of somebody else's."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Kittens</title><body>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    return app


@pytest.fixture
async def context(chromium: str) -> AsyncIterator[BrowserContext]:
    """A headless Chromium in which the stranger's name leads to this machine."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=[
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
                f"--host-resolver-rules=MAP {EVIL} 127.0.0.1",
            ],
        )
        yield await browser.new_context()
        await browser.close()


async def page_at(context: BrowserContext, url: str) -> Page:
    page = await context.new_page()
    await page.goto(url)
    return page


async def sources_of(page: Page) -> list[str]:
    text = await page.evaluate("async () => (await fetch('/sources')).text()")
    return [source["name"] for source in json.loads(text)["sources"]]


@pytest.mark.parametrize("host", [EVIL, "127.0.0.1"])
async def test_a_page_of_another_origin_gets_nothing_done(context: BrowserContext, tmp_path: Path, host: str) -> None:
    """Of another site, and of another port of the same host, which has the cookie of who is signed in sent along."""
    _, secret = Tokens(tmp_path).create("me", Role.ADMIN)
    async with served(tmp_path, auth="always") as server, listening(server.app) as port:
        base = f"http://127.0.0.1:{port}"
        own = await page_at(context, f"{base}/")
        sign_in = """async (token) => (await fetch('/login', {method: 'POST', body: JSON.stringify({token}),
            headers: {'Content-Type': 'application/json'}})).status"""
        assert await own.evaluate(sign_in, secret) == 200
        # What is tried works for a page of the server's own: it could fail for strangers only because they are.
        allowed = await own.evaluate(TRY_ALL, [base, SOCKET])
        assert allowed == {"read": "read 200", "make": "read 201", "remove": "read 404", "socket": "open"}
        assert await server.blind_tries() == {204}
        assert await own.evaluate(sign_in, secret) == 200
        server.answers.clear()

        async with listening(strangers_site()) as strangers_port:
            stranger = await page_at(context, f"http://{host}:{strangers_port}/")
            tried = await stranger.evaluate(TRY_ALL, [base, SOCKET])
            assert set(tried.values()) == {"refused"}
            assert await server.blind_tries() == {403}
        asked = {(method, path) for method, path, _, origin, _ in server.answers if str(strangers_port) in origin}
        preflights = {("OPTIONS", "/sources"), ("OPTIONS", "/sources/x")}
        assert asked == {("GET", "/sources"), ("POST", "/logout"), ("GET", SOCKET), *preflights}
        assert {status for *_, status in server.answers} == {403}
        # Nothing was made, nobody was signed out.
        assert await sources_of(own) == ["mine now"]


async def test_a_name_that_is_rebound_to_this_machine_gets_nothing_done(
    context: BrowserContext, tmp_path: Path
) -> None:
    """The page was the stranger's, its name then leads to the server: same origin for the browser, refused by Host."""
    async with listening(strangers_site()) as port:
        stranger = await page_at(context, f"http://{EVIL}:{port}/")
    async with served(tmp_path) as server, listening(server.app, port):
        own = await page_at(context, f"http://127.0.0.1:{port}/")
        assert await sources_of(own) == []
        server.answers.clear()
        tried = await stranger.evaluate(TRY_ALL, [f"http://{EVIL}:{port}", SOCKET])
        assert tried == {"read": "read 403", "make": "read 403", "remove": "read 403", "socket": "refused"}
        assert await server.blind_tries() == {403}
        assert {(host, status) for _, _, host, _, status in server.answers} == {(f"{EVIL}:{port}", 403)}
        assert server.statuses("GET", SOCKET) == [403]
        await stranger.goto(f"http://{EVIL}:{port}/")
        assert "is not served here" in await stranger.inner_text("body")
        assert await sources_of(own) == []
